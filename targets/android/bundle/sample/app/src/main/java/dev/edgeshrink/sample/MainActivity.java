package dev.edgeshrink.sample;

import android.app.Activity;
import android.os.Bundle;
import android.view.View;
import android.widget.Button;
import android.widget.EditText;
import android.widget.LinearLayout;
import android.widget.ScrollView;
import android.widget.TextView;
import dev.edgeshrink.bundle.AssetSource;
import dev.edgeshrink.bundle.BundleException;
import dev.edgeshrink.bundle.ModelBundle;
import dev.edgeshrink.bundle.Runner;
import java.io.File;
import java.io.IOException;

/** Opens the bundled model, says what it is, and puts a question to it where the runner is in the app. */
public final class MainActivity extends Activity {
    private static final String NAME = "$name";
    private static final int ANSWER_TOKENS = 256;

    private TextView text;
    private Button ask;
    private EditText question;
    private ModelBundle model;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        text = new TextView(this);
        text.setText("checking " + NAME);
        question = new EditText(this);
        ask = new Button(this);
        ask.setText("Ask");
        ask.setEnabled(false);
        ask.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                answer(question.getText().toString());
            }
        });
        LinearLayout rows = new LinearLayout(this);
        rows.setOrientation(LinearLayout.VERTICAL);
        rows.setFitsSystemWindows(true);
        rows.addView(question);
        rows.addView(ask);
        rows.addView(text);
        ScrollView page = new ScrollView(this);
        page.addView(rows);
        setContentView(page);
        new Thread(this::open, "open").start();
    }

    private void open() {
        try {
            model = ModelBundle.open(new AssetSource(this, NAME), getNoBackupFilesDir());
            boolean answers = new Runner(this).present();
            show(model.name() + " " + model.version() + " (" + model.format() + ")\n"
                + "for " + model.engine() + "\n"
                + model.context() + " tokens of context\n"
                + (model.memoryBytes() == null ? "" : model.memoryBytes() / 1_000_000 + " MB of memory\n")
                + (answers ? "" : "no runner in this app: take model.path() to your own engine\n"), answers);
        } catch (IOException | BundleException error) {
            show(error.getClass().getSimpleName() + ": " + error.getMessage(), false);
        }
    }

    private void answer(String asked) {
        show("", false);
        File cache = getNoBackupFilesDir();
        new Thread(() -> {
            try {
                new Runner(this).answer(model, asked, ANSWER_TOKENS, cache,
                    piece -> runOnUiThread(() -> text.append(piece)));
            } catch (IOException | BundleException | InterruptedException error) {
                runOnUiThread(() -> text.append("\n" + error.getClass().getSimpleName() + ": " + error.getMessage()));
            }
            runOnUiThread(() -> ask.setEnabled(true));
        }, "answer").start();
    }

    private void show(String shown, boolean enabled) {
        runOnUiThread(() -> {
            text.setText(shown);
            ask.setEnabled(enabled);
        });
    }
}
