import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

fun setting(name: String): String = providers.gradleProperty("pocketgemma.$name").get()

android {
    namespace = "io.pocketgemma.chat"
    compileSdk = setting("targetSdk").toInt()

    defaultConfig {
        applicationId = setting("applicationId")
        minSdk = setting("minSdk").toInt()
        targetSdk = setting("targetSdk").toInt()
        versionCode = setting("versionCode").toInt()
        versionName = setting("versionName")
        ndk { abiFilters += "arm64-v8a" }
    }

    // The runtime's library and the assets (models, adapters, manifest, questions), copied there by `python -m pipeline.targets.android.studio`.
    sourceSets["main"].jniLibs.srcDir("../build/studio/jniLibs")
    sourceSets["main"].assets.srcDir("../build/studio/assets")

    externalNativeBuild { cmake { path = file("src/main/cpp/CMakeLists.txt") } }

    // The app copies models out of the APK, so they must be stored uncompressed.
    androidResources { noCompress += listOf("litertlm", "tflite") }

    // Libraries are stored uncompressed and mapped from the APK, like bundle.compress_libraries: false.
    packaging { jniLibs { useLegacyPackaging = false } }

    buildTypes {
        debug {
            isDebuggable = true
            // For emulators.
            ndk { abiFilters += "x86_64" }
        }
        release {
            isDebuggable = false
            isMinifyEnabled = true
            proguardFiles("proguard-rules.pro")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    testOptions { unitTests.isIncludeAndroidResources = true }
}

kotlin { compilerOptions { jvmTarget = JvmTarget.JVM_17 } }

dependencies {
    implementation("org.commonmark:commonmark:0.27.0")
    implementation("org.commonmark:commonmark-ext-gfm-tables:0.27.0")
    implementation("org.commonmark:commonmark-ext-gfm-strikethrough:0.27.0")
    testImplementation("junit:junit:4.13.2")
    testImplementation("org.json:json:20250517")
    testImplementation("org.robolectric:robolectric:4.16")
}
