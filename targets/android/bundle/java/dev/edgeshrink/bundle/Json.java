package dev.edgeshrink.bundle;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON as RFC 8259 has it and nothing beside it: no name twice, no comment, no lone surrogate, UTF-8 without exception.
 *
 * <p>Objects are maps in the text's order, arrays lists, numbers Long or Double, null is null.
 */
final class Json {
    private static final int DEPTH_MAX = 32;

    private final CharBuffer text;
    private int depth;

    private Json(CharBuffer text) {
        this.text = text;
    }

    static Object parse(byte[] utf8) throws BundleInvalid {
        CharBuffer text;
        try {
            text = StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT)
                .decode(ByteBuffer.wrap(utf8));
        } catch (CharacterCodingException error) {
            throw new BundleInvalid("the JSON is no UTF-8", error);
        }
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (text.hasRemaining()) {
            throw json.wrong("something after the end");
        }
        return value;
    }

    private Object value() throws BundleInvalid {
        space();
        char first = peek();
        switch (first) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() throws BundleInvalid {
        enter();
        Map<String, Object> values = new LinkedHashMap<>();
        if (!ended('}')) {
            do {
                space();
                String name = string();
                space();
                expect(':');
                Object value = value();
                if (values.containsKey(name)) {
                    throw wrong("a name twice");
                }
                values.put(name, value);
            } while (another('}'));
        }
        depth--;
        return values;
    }

    private List<Object> array() throws BundleInvalid {
        enter();
        List<Object> values = new ArrayList<>();
        if (!ended(']')) {
            do {
                values.add(value());
            } while (another(']'));
        }
        depth--;
        return values;
    }

    private void enter() throws BundleInvalid {
        text.get();
        if (++depth > DEPTH_MAX) {
            throw wrong("more than " + DEPTH_MAX + " levels");
        }
    }

    private boolean ended(char close) throws BundleInvalid {
        space();
        if (peek() != close) {
            return false;
        }
        text.get();
        return true;
    }

    private boolean another(char close) throws BundleInvalid {
        space();
        char next = take();
        if (next == ',') {
            return true;
        }
        if (next != close) {
            throw wrong("neither a comma nor " + close);
        }
        return false;
    }

    private String string() throws BundleInvalid {
        expect('"');
        StringBuilder out = new StringBuilder();
        for (char c = take(); c != '"'; c = take()) {
            if (c < ' ') {
                throw wrong("a control character in a string");
            }
            out.append(c == '\\' ? escaped() : c);
        }
        for (int at = 0; at < out.length(); at++) {
            char c = out.charAt(at);
            if (Character.isHighSurrogate(c) && at + 1 < out.length() && Character.isLowSurrogate(out.charAt(at + 1))) {
                at++;
            } else if (Character.isSurrogate(c)) {
                throw wrong("half of a character");
            }
        }
        return out.toString();
    }

    private char escaped() throws BundleInvalid {
        char c = take();
        switch (c) {
            case '"':
            case '\\':
            case '/':
                return c;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                int code = 0;
                for (int digit = 0; digit < 4; digit++) {
                    int value = "0123456789abcdef".indexOf(Character.toLowerCase(take()));
                    if (value < 0) {
                        throw wrong("an unknown escape");
                    }
                    code = code << 4 | value;
                }
                return (char) code;
            default:
                throw wrong("an unknown escape");
        }
    }

    private Object number() throws BundleInvalid {
        StringBuilder out = new StringBuilder();
        while (text.hasRemaining() && "+-.eE0123456789".indexOf(peek()) >= 0) {
            out.append(take());
        }
        String spelled = out.toString();
        if (!spelled.matches("-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")) {
            throw wrong("a value that is none");
        }
        try {
            return spelled.matches("-?[0-9]+") ? (Object) Long.valueOf(spelled) : (Object) Double.valueOf(spelled);
        } catch (NumberFormatException error) {
            throw wrong("a number out of range");
        }
    }

    private Object word(String spelled, Object value) throws BundleInvalid {
        for (int at = 0; at < spelled.length(); at++) {
            expect(spelled.charAt(at));
        }
        return value;
    }

    private void space() {
        while (text.hasRemaining() && " \t\r\n".indexOf(text.get(text.position())) >= 0) {
            text.get();
        }
    }

    private char peek() throws BundleInvalid {
        if (!text.hasRemaining()) {
            throw wrong("an early end");
        }
        return text.get(text.position());
    }

    private char take() throws BundleInvalid {
        if (!text.hasRemaining()) {
            throw wrong("an early end");
        }
        return text.get();
    }

    private void expect(char wanted) throws BundleInvalid {
        if (take() != wanted) {
            throw wrong("something else than " + wanted);
        }
    }

    private BundleInvalid wrong(String what) {
        return new BundleInvalid("the JSON has " + what + " at character " + text.position());
    }
}
