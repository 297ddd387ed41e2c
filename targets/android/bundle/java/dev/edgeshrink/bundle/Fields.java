package dev.edgeshrink.bundle;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The fields of one JSON object by name and type. BundleInvalid names the field that is wrong. */
final class Fields {
    private final Map<?, ?> values;
    private final String where;

    private Fields(Map<?, ?> values, String where) {
        this.values = values;
        this.where = where;
    }

    static Fields of(Object json, String where) throws BundleInvalid {
        if (!(json instanceof Map)) {
            throw new BundleInvalid(where + " is no JSON object");
        }
        return new Fields((Map<?, ?>) json, where);
    }

    String text(String name) throws BundleInvalid {
        return as(String.class, name, true);
    }

    String optionalText(String name) throws BundleInvalid {
        return as(String.class, name, false);
    }

    long whole(String name) throws BundleInvalid {
        return as(Long.class, name, true);
    }

    Long optionalWhole(String name) throws BundleInvalid {
        return as(Long.class, name, false);
    }

    double real(String name) throws BundleInvalid {
        return as(Number.class, name, true).doubleValue();
    }

    /** A number from 0 to 1. */
    double share(String name) throws BundleInvalid {
        double value = real(name);
        if (!(value >= 0 && value <= 1)) {
            throw new BundleInvalid(where + "." + name + " is no number from 0 to 1");
        }
        return value;
    }

    /** null where the field is absent or null. */
    Fields optionalObject(String name) throws BundleInvalid {
        Map<?, ?> value = as(Map.class, name, false);
        return value == null ? null : new Fields(value, where + "." + name);
    }

    Fields object(String name) throws BundleInvalid {
        return new Fields(as(Map.class, name, true), where + "." + name);
    }

    List<Fields> objects(String name) throws BundleInvalid {
        List<Fields> out = new ArrayList<>();
        for (Object item : as(List.class, name, true)) {
            out.add(of(item, where + "." + name + "[" + out.size() + "]"));
        }
        return out;
    }

    <T> List<T> list(String name, Class<T> type) throws BundleInvalid {
        List<T> out = new ArrayList<>();
        for (Object item : as(List.class, name, true)) {
            if (!type.isInstance(item)) {
                throw new BundleInvalid(where + "." + name + " is not what it should be");
            }
            out.add(type.cast(item));
        }
        return out;
    }

    private <T> T as(Class<T> type, String name, boolean required) throws BundleInvalid {
        Object value = values.get(name);
        if (value == null && !required) {
            return null;
        }
        if (!type.isInstance(value)) {
            throw new BundleInvalid(where + "." + name + " is not what it should be");
        }
        return type.cast(value);
    }
}
