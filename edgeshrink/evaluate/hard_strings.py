"""Strings on which tokenizers that are almost the same part ways.

Not the strings by which the exporter chooses a pre-tokenizer: these are used for nothing but the check of the
finished file, so a choice that only fits its own evidence is found out.
"""

from __future__ import annotations

HARD_STRINGS: tuple[str, ...] = (
    "The quick brown fox doesn't jump; it'll've said 'tis o'clock, WE'RE I'M You'D!",
    " leading space,  two spaces,   three    four     and trailing  ",
    "\ttab\t\ttabs\n\nnewlines\n \n  \n\r\ncarriage\r\n\r\n   indented\n",
    "1 12 123 1234 12345 123456 1234567 3.14159 1,000,000.00 -7e-10 0xDEADBEEF 007",
    "2024-02-29T23:59:59Z +49 (0)30 901820 v1.2.3-rc.4 192.168.0.1:8080",
    "def f(x):\n    if x<=10 and x!=3:\n\t\treturn {'a': [x**2, -x], \"b\": None}  # done\n",
    '<div class="a-b_c">&nbsp;&#39;</div> <!-- no --> https://example.org/a?b=c&d=%20e#f',
    "snake_case camelCase PascalCase SCREAMING_SNAKE kebab-case x86_64 C++ C# F#",
    "!!! ... ??? --- === *** ### @@@ $$$ %%% ^^^ &&& ((( ))) [[[ ]]] {{{ }}} ||| \\\\\\ /// ~~~ ```",
    "naïve café résumé Übergrößenträger Straße ẞ œuvre Æsir Łódź Žižek ñandú ¿qué? ¡sí!",
    "cafe\u0301 versus café, A\u030angstro\u0308m versus Ångström, ﬁne ﬂuid ½ x² ™",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Ґ є ї",
    "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία.",
    "日本語のテキストと漢字とカタカナ、ひらがな。全角　スペース「引用」１２３",
    "我能吞下玻璃而不伤身体。繁體中文也可以，對吧？",
    "다람쥐 헌 쳇바퀴에 타고파. 한글 자모 ㄱㄴㄷ",
    "نص عربي مع ١٢٣ أرقام، وعلامات؟ فارسی با نیم‌فاصله",
    "עברית עם נִקּוּד וגם English בתוך",
    "हिन्दी में क्षत्रिय ज्ञान १२३ और संयुक्ताक्षर",
    "ภาษาไทยไม่มีเว้นวรรคระหว่างคำ ๑๒๓",
    "தமிழ் எழுத்துக்கள் සිංහල မြန်မာ አማርኛ ქართული Հայերեն",
    "😀😃 👩‍👩‍👧‍👦 👍🏽 🇩🇪🇯🇵 ❤️ ☃ ♞ ∑∫√∞ ≈≠≤≥ → ⇒ ℝ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 🜁",
    "zero\u200bwidth, non\u00a0breaking, soft\u00adhyphen, \u2028line\u2029paragraph, \ufeffmark, \u202ertl\u202c",
    "control \x07 bell \x1b[31mescape\x1b[0m \x7f delete",
    '"curly" “quotes” ‘single’ «guillemets» „low“ – en — em … ellipsis',
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "supercalifragilisticexpialidocious antidisestablishmentarianism pneumonoultramicroscopic",
    "ThisIsOneLongWordWithoutAnySpacesAtAllAndWithCAPITALSinTheMIDDLEofIt",
    "don't DON'T Don’t 'S 'd 'LL 're's l'été aujourd'hui dell'arte",
    '{"name": "add", "arguments": {"a": 12, "b": [1.5, true, null]}}',
    "x",
    " ",
    "\n",
    "  \n  ",
    ".",
    "'",
    "0",
)
