package android.view;

import android.content.Context;

public class View {
    public View(Context context) {
    }

    public interface OnClickListener {
        void onClick(View view);
    }

    public native void setOnClickListener(OnClickListener listener);

    public native void setEnabled(boolean enabled);

    public native void setFitsSystemWindows(boolean fits);
}
