plugins {
    id("com.android.ai-pack")
}

aiPack {
    packName = "$pack"
    dynamicDelivery {
        deliveryType = "$delivery"
    }
}
