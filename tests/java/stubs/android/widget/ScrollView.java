package android.widget;

import android.content.Context;
import android.view.ViewGroup;

public class ScrollView extends ViewGroup {
    public static final int VERTICAL = 1;

    public ScrollView(Context context) {
        super(context);
    }

    public native void setOrientation(int orientation);
}
