#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::bot_detection {

// sluice.extensions.filters.http.bot_detection.v1.BotDetection.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::bot_detection
