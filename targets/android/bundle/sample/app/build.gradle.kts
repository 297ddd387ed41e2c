plugins {
    id("com.android.application")
}

android {
    namespace = "dev.edgeshrink.sample"  // of the classes; an application id may hold words that Java keeps
    compileSdk = 35

    defaultConfig {
        applicationId = "$application_id"
        minSdk = $min_sdk
        targetSdk = 35
        versionCode = 1
        versionName = "$version"
        // The runner is built for 64-bit ARM.
        ndk { abiFilters += "arm64-v8a" }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    // Stored, so that the model can be mapped.
    androidResources {
        noCompress += listOf($no_compress)
    }

    // The runner is a program: Android extracts it, so that it can be started.
    packaging {
        jniLibs { useLegacyPackaging = true }
    }
}

dependencies {
    implementation($dependency)
}
