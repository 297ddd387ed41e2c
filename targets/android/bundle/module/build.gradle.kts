plugins {
    id("com.android.library")
}

android {
    namespace = "$namespace"
    compileSdk = 35

    defaultConfig {
        minSdk = $min_sdk
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    // Stored, so that the model can be mapped. The app that packs it needs the same line.
    androidResources {
        noCompress += listOf($no_compress)
    }
}
