// Where requests show their API key. (proto: api_key_auth.v3.KeySource)
#pragma once

#include <vector>

#include "envoy/extensions/filters/http/api_key_auth/v3/api_key_auth.pb.h"
#include "source/config/errors.h"
#include "source/filter/credentials/key_sources.h"

namespace sluice::config {

using KeySourceList = google::protobuf::RepeatedPtrField<envoy::extensions::filters::http::api_key_auth::v3::KeySource>;

// `context` stands at the message whose `key_sources` they are.
std::vector<filter::KeySource> compileKeySources(const KeySourceList& list, const Context& context);

}  // namespace sluice::config
