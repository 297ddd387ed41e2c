"""`serve` and `ask`: one model, many who ask, and how both ends leave."""

from __future__ import annotations

import json
import signal
import socket
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asking import LEAVES_S, QUESTION, Chat, Server, rest, say
from native_runner import LONGEST_S

ENDLESS = ("--tokens", 100_000, "--temperature", 3)
"""At that temperature hardly an answer ends by itself."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def server(chat: Chat, place: Path) -> Iterator[Server]:
    with chat.serving(place) as running:
        yield running


def test_ask_gives_the_words_of_answer_whoever_asked_before(chat: Chat, server: Server) -> None:
    expected = {question: chat.answer("--prompt", question).stdout for question in (QUESTION, "Once upon a time")}
    for question in (QUESTION, "Once upon a time", QUESTION, QUESTION):
        done = chat.ask(server.path, question)
        assert (done.returncode, done.stdout, done.stderr) == (0, expected[question], b"")


def test_sampled_answers_do_not_depend_on_those_before(chat: Chat, place: Path) -> None:
    sampled = ("--temperature", 1.3, "--seed", 5, "--tokens", 20)
    with chat.serving(place, *sampled) as server:
        asked = [chat.ask(server.path, QUESTION).stdout for _ in range(3)]
    assert {*asked} == {chat.answer("--prompt", QUESTION, *sampled).stdout}


def test_several_clients_are_answered_one_after_the_other(chat: Chat, server: Server) -> None:
    expected = chat.answer("--prompt", QUESTION).stdout
    with server.connect() as first, ThreadPoolExecutor(4) as others:
        answers = [others.submit(chat.ask, server.path, QUESTION) for _ in range(4)]
        time.sleep(0.2)
        assert not any(answer.done() for answer in answers)  # the first has not said what it wants to know
        say(first, QUESTION)
        assert rest(first) == expected
        assert [answer.result().stdout for answer in answers] == [expected] * 4


def test_an_answer_comes_while_it_is_computed(chat: Chat, place: Path) -> None:
    with chat.serving(place, *ENDLESS) as server, server.connect() as client:
        say(client, "Tell me everything.")
        parts = [client.recv(65536) for _ in range(3)]
        assert all(parts)
        b"".join(parts).decode("utf-8")


def test_a_question_in_many_parts_is_one(chat: Chat, server: Server) -> None:
    with server.connect() as client:
        for byte in QUESTION.encode():
            client.sendall(bytes((byte,)))
        client.shutdown(socket.SHUT_WR)
        assert rest(client) == chat.answer("--prompt", QUESTION).stdout


@pytest.mark.parametrize("read", [0, 1], ids=["at once", "in the middle"])
def test_a_client_that_goes_away_takes_its_answer_with_it(chat: Chat, place: Path, read: int) -> None:
    with chat.serving(place, "--json", *ENDLESS) as server:
        with server.connect() as client:
            say(client, "Tell me everything.")
            if read:
                assert client.recv(1)
        with server.connect() as client:
            say(client, "Tell me everything.")
            whole = rest(client)
        assert whole == chat.answer("--prompt", "Tell me everything.", *ENDLESS).stdout
        ends = [json.loads(line) for line in server.said.read_text().splitlines()][3:]
    assert ends[0]["event"] == "dropped" or ends[0]["why"] == "gone"
    assert ends[1]["why"] in ("stop", "context") and ends[1]["tokens"] > ends[0].get("tokens", 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "the question is empty"),
        (b"\xff\xfe", "the question is not UTF-8"),
        (b"word " * 600, "tokens with what belongs around it and the context is 512"),
        (b"a" * (3 << 20), "the question is longer than 1 MiB"),
    ],
    ids=["empty", "bytes", "tokens", "mebibytes"],
)
def test_a_refusal_is_a_byte_that_no_text_has_and_a_line(chat: Chat, server: Server, given: bytes, words: str) -> None:
    with server.connect() as client:
        try:
            client.sendall(given)
            client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            assert len(given) > 1 << 20
        said = rest_or_reset(client)
    assert said[:1] == b"\xff" and said.count(b"\xff") == 1
    assert words in said[1:].decode() and said.endswith(b"\n")
    assert chat.ask(server.path, QUESTION).returncode == 0


def rest_or_reset(client: socket.socket) -> bytes:
    """What came before the server closed with our bytes unread."""
    said = b""
    try:
        while part := client.recv(65536):
            said += part
    except ConnectionResetError:
        pass
    return said


def test_ask_says_a_refusal_on_stderr(chat: Chat, server: Server) -> None:
    done = chat.ask(server.path, "word " * 600)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"tokens with what belongs around it and the context is 512" in done.stderr


def test_ask_where_nobody_listens_is_1(chat: Chat, place: Path) -> None:
    done = chat.ask(place, QUESTION)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"{place}: no server answers there".encode() in done.stderr


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=lambda sign: sign.name)
def test_a_signal_ends_it_and_its_socket_file_in_the_middle_of_an_answer(
    chat: Chat, place: Path, sign: signal.Signals
) -> None:
    with chat.serving(place, *ENDLESS) as server, server.connect() as client:
        say(client, "Tell me everything.")
        assert client.recv(1)
        began = time.monotonic()
        server.process.send_signal(sign)
        assert server.process.wait(LEAVES_S) == 0
        assert time.monotonic() - began < LEAVES_S
        assert not place.exists()
        assert server.heard.recv(100) == b"STOPPING=1"
        assert rest_or_reset(client).endswith(b"\xffthe server is stopping\n")


def test_a_signal_ends_it_while_it_waits_for_a_question(chat: Chat, place: Path) -> None:
    with chat.serving(place) as server, server.connect() as client, server.connect() as waiting:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(LEAVES_S) == 0
        for one in (client, waiting):
            assert rest_or_reset(one) == b"\xffthe server is stopping\n"
    assert not place.exists()


def test_ask_says_that_the_server_left_before_its_turn(chat: Chat, place: Path) -> None:
    with chat.serving(place) as server, server.connect(), ThreadPoolExecutor(1) as others:
        asked = others.submit(chat.ask, place, QUESTION)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(LEAVES_S) == 0
        assert (asked.result().returncode, asked.result().stdout) == (1, b"")
        assert asked.result().stderr == b"edgeshrink-runner: the server is stopping\n"


def test_a_client_that_says_nothing_does_not_hold_up_the_others(chat: Chat, place: Path) -> None:
    with chat.serving(place, "--patience-s", 0.3) as server, server.connect() as silent:
        silent.sendall(b"What I wanted to")
        assert chat.ask(server.path, QUESTION).stdout == chat.answer("--prompt", QUESTION).stdout
        assert rest_or_reset(silent) == b"\xffthe question took too long to come\n"


def test_a_client_that_takes_nothing_does_not_hold_up_the_others(chat: Chat, place: Path) -> None:
    with chat.serving(place, "--patience-s", 0.3, *ENDLESS) as server, server.connect() as deaf:
        say(deaf, "Tell me everything.")
        with server.connect() as client:
            say(client, "Tell me everything.")
            assert client.recv(1)


def test_only_owner_and_group_may_ask(server: Server) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o660


def test_the_socket_file_of_a_dead_server_is_replaced(chat: Chat, place: Path) -> None:
    with chat.serving(place) as server:
        server.process.kill()
        server.process.wait(LONGEST_S)
    assert place.is_socket()
    with chat.serving(place) as server:
        assert chat.ask(server.path, QUESTION).returncode == 0


def test_the_socket_file_of_a_live_server_stays(chat: Chat, server: Server) -> None:
    done = chat.run("serve", "--socket", server.path, *chat.options())
    assert done.returncode == 1
    assert f"{server.path}: a server answers there already".encode() in done.stderr
    assert chat.ask(server.path, QUESTION).returncode == 0


def test_a_file_that_is_no_socket_stays(chat: Chat, place: Path) -> None:
    place.write_text("mine")
    done = chat.run("serve", "--socket", place, *chat.options())
    assert done.returncode == 1
    assert b"something else than a socket stands there" in done.stderr
    assert place.read_text() == "mine"


def test_a_socket_file_of_another_server_is_not_taken_away(chat: Chat, place: Path) -> None:
    with chat.serving(place) as server:
        place.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(place))
            server.process.terminate()
            assert server.process.wait(LEAVES_S) == 0
            assert place.is_socket()


@pytest.mark.parametrize(
    ("path", "words"),
    [("x" * 200, "a socket's path has 1 to 107 bytes"), ("none/s", "No such file or directory")],
    ids=["long", "folder"],
)
def test_a_path_that_cannot_be_is_said(chat: Chat, tmp_path: Path, path: str, words: str) -> None:
    done = chat.run("serve", "--socket", tmp_path / path, *chat.options())
    assert done.returncode == 1
    assert words in done.stderr.decode()


def test_without_a_socket_it_is_a_wrong_command_line(chat: Chat) -> None:
    done = chat.run("serve", *chat.options())
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"serve wants --socket" in done.stderr
