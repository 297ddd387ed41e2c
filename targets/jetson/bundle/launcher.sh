#!/bin/sh
# The model %%{name} on this device: it answers questions, and says whether it is still what was built.
set -u

me=%%{package}
home=/opt/edgeshrink/%%{name}
socket=/run/$me/socket

usage() {
    cat <<END
usage: $me QUESTION...     answer it; by the service where that runs ("-": the question is read from stdin)
       $me ask QUESTION... the same, for a question that is the name of a command
       $me check           compare every file with what was built, ask for the engine, have one question answered
       $me about           what the model is, what opens it, what it needs
       $me python ...      the package's own Python, where the model runs in one
settings: /etc/default/$me
END
}

fail() {
    printf '%s: %s\n' "$me" "$1" >&2
    exit 1
}

# Everything that was installed, against its digests; names what differs, is missing, or was added.
check_files() {
    cd "$home" || fail "BundleMissing: $home is not there; install the package again"
    [ -f bundle/bundle.json ] && [ -f SHA256SUMS ] || fail "BundleMissing: $home holds no bundle; install it again"
    result=$(LC_ALL=C sha256sum -c SHA256SUMS 2>/dev/null)
    wrong=$(printf '%s\n' "$result" | grep ': FAILED')
    fine=$(printf '%s\n' "$result" | grep -c ': OK$')
    # A name that stands in one of both lists only: a file that is not ours, or one of ours that is gone.
    other=$({ find . ! -type d ! -path ./SHA256SUMS; sed 's/^[0-9a-f]*  /.\//' SHA256SUMS; } | LC_ALL=C sort | uniq -u)
    # Every file was read and is right: a sha256sum that died, or is not there, says nothing wrong.
    [ "$fine" = "$(grep -c '' SHA256SUMS)" ] && [ -z "$wrong$other" ] && return 0
    [ -n "$wrong$other" ] || printf '%s: DigestMismatch: sha256sum read %s files, not all\n' "$me" "$fine" >&2
    if [ -n "$other" ]; then
        printf '%s\n' "$other" | while IFS= read -r name; do
            if [ -e "$name" ] || [ -L "$name" ]; then
                printf '%s: DigestMismatch: %s was added\n' "$me" "$home/${name#./}" >&2
            else
                printf '%s: FileMissing: %s\n' "$me" "$home/${name#./}" >&2
            fi
        done
    fi
    if [ -n "$wrong" ]; then
        printf '%s\n' "$wrong" | while IFS= read -r line; do
            name=${line%: FAILED*}
            [ -e "$name" ] && printf '%s: DigestMismatch: %s is not what was built\n' "$me" "$home/$name" >&2
        done
    fi
    printf '%s: the model is not opened; install the package again\n' "$me" >&2
    return 1
}

# The same, once for each login of a person: what was found is kept where the system throws it away afterwards.
check_once() {
    [ -z "$checked" ] || return 0
    kept=
    if [ -n "${XDG_RUNTIME_DIR:-}" ] && [ -w "$XDG_RUNTIME_DIR" ]; then
        kept=$XDG_RUNTIME_DIR/$me.checked
        state=$(find "$home" -exec stat -c '%n %s %i %Y %Z' {} + | LC_ALL=C sort | sha256sum)
        [ -f "$kept" ] && [ "$(cat "$kept")" = "$state" ] && return 0
    fi
    (check_files) || exit 1
    [ -z "$kept" ] || printf '%s\n' "$state" >"$kept"
}

find_python() {
    [ -n "$python" ] || fail "the model runs in no Python"
    if [ -x "$home/python/bin/python3" ]; then
        interpreter=$home/python/bin/python3
    else
        found=
        for interpreter in "python$python" python3; do
            found=$("$interpreter" -IB -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
            [ "$found" = "$python" ] && break
        done
        [ "$found" = "$python" ] ||
            fail "EngineMismatch: the runtime needs Python $python, this device has ${found:-none}; bundle with --python"
    fi
    # Nothing is written into the package, and no folder but its own is looked at.
    PYTHONPATH=$home/lib/python
    PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1 EDGESHRINK_BUNDLE_CACHE=off
    export PYTHONPATH PYTHONDONTWRITEBYTECODE PYTHONNOUSERSITE PYTHONSAFEPATH EDGESHRINK_BUNDLE_CACHE
    # onnxruntime would report to its maker, and leave an id of this device in the person's folder.
    ORT_DISABLE_TELEMETRY=1
    export ORT_DISABLE_TELEMETRY
}

# Artifact and engine are a pair.
check_engine() {
    if [ -n "$python" ]; then
        find_python
        return 0
    fi
    said=$("$home/bin/edgeshrink-runner" info 2>&1)
    case $said in
        *"\"llama\":\"$engine_version\""*) ;;
        *'"event":"missing"'*)
            lacking=$(printf '%s\n' "$said" | sed -n 's/.*"features":\[\(.*\)\].*/\1/p' | tr -d '"')
            fail "EngineMismatch: this processor lacks what the runner was built for: $lacking"
            ;;
        *) fail "EngineMismatch: the runner in the package is not $engine" ;;
    esac
}

# engine COMMAND WORDS...: the runner or the Python loader, in place of this shell.
engine() {
    command=$1
    shift
    if [ -n "$python" ]; then
        find_python
        set -- --context "$CONTEXT" --max-tokens "$ANSWER_TOKENS" "$@"
        [ "$THREADS" -eq 0 ] || set -- --threads "$THREADS" "$@"
        exec "$interpreter" -m edgeshrink_bundle --bundle "$home/bundle" "$command" "$@"
    fi
    [ "$THREADS" -ne 0 ] || THREADS=$(nproc)
    [ -z "$stop_ids" ] || set -- --stop-ids "$stop_ids" "$@"
    [ ! -f "$home/chat/before" ] || set -- --before "$home/chat/before" --after "$home/chat/after" "$@"
    [ "$GPU_LAYERS" -eq 0 ] || set -- --gpu-layers "$GPU_LAYERS" "$@"
    exec "$home/bin/edgeshrink-runner" "$command" --model "$home/bundle/$main" --context "$CONTEXT" \
        --threads "$THREADS" --tokens "$ANSWER_TOKENS" "$@"
}

# The service has the model in memory, or has it loaded by the first question.
serviced() {
    [ -S "$socket" ] && [ -w "$socket" ]
}

# put COMMAND...: hand the question to it, "-": whoever called hands it over on stdin.
put() {
    if [ "$question" = - ]; then "$@"; else printf '%s' "$question" | "$@"; fi
}

answer() {
    [ "$answers" = yes ] || fail "%%{name} is a network and answers no questions: see $me python"
    if serviced; then
        if [ -n "$python" ]; then
            find_python
            put "$interpreter" -m edgeshrink_bundle --bundle "$home/bundle" ask --socket "$socket"
        else
            put "$home/bin/edgeshrink-runner" ask --socket "$socket"
        fi
        return
    fi
    check_once
    check_engine
    put engine answer
}

check() {
    (check_files) || exit 1
    checked=yes
    printf 'files: as built\n'
    check_engine
    printf 'engine: %s\n' "$engine"
    if [ "$answers" = no ]; then
        "$interpreter" -c "import edgeshrink_bundle as b, sys; b.load(sys.argv[1]).close()" "$home/bundle" ||
            fail "the model does not open"
        printf 'model: opens\n'
        return 0
    fi
    ANSWER_TOKENS=8 question=Hello
    said=$(answer) || fail "ModelUnopenable: no answer to a question"
    [ -n "$said" ] || fail "ModelUnopenable: an empty answer to a question"
    if serviced; then printf 'answer: given, by the service\n'; else printf 'answer: given\n'; fi
}

[ -r "$home/settings" ] || fail "BundleMissing: $home is not there; install the package again"
. "$home/settings"
checked=
THREADS=$threads CONTEXT=$context GPU_LAYERS=$gpu_layers ANSWER_TOKENS=256
[ ! -r "/etc/default/$me" ] || . "/etc/default/$me"

# Before 3.11 a Python finds modules where it is started: somebody else's, in a folder that anyone may write to.
[ "${1:-}" = python ] || cd /

case ${1:---help} in
    -h | --help) usage ;;
    about) cat "$home/about.txt" ;;
    check)
        case ${2:-} in
            '') check ;;
            --files)
                check_files || exit 1
                check_engine
                ;;
            *) usage >&2 && exit 2 ;;
        esac
        ;;
    serve)
        [ "$answers" = yes ] || fail "a network is not served"
        check_engine
        engine serve --socket "$socket"
        ;;
    python)
        shift
        find_python
        exec "$interpreter" "$@"
        ;;
    ask)
        shift
        [ $# -gt 0 ] || { usage >&2 && exit 2; }
        question=$*
        answer
        ;;
    -)
        question=-
        answer
        ;;
    -*) usage >&2 && exit 2 ;;
    *)
        question=$*
        answer
        ;;
esac
