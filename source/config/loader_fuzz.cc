// Any text, as YAML, as JSON and as protobuf's text format: loading and validating must end, and must say what is wrong
// when it does not succeed.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"

#include "source/config/loader.h"
#include "source/config/validate.h"

namespace {

void load(std::string_view text, sluice::config::Format format) {
  sluice::config::ErrorList errors;
  sluice::config::Positions positions;
  envoy::config::bootstrap::v3::Bootstrap bootstrap;

  const bool loaded = sluice::config::Loader(errors, positions).loadText(text, format, "fuzz", bootstrap);
  if (loaded != errors.empty()) std::abort();

  // What was refused may be half set; validation must bear it.
  const sluice::config::ErrorMark mark(errors);
  const bool valid = sluice::config::validate(bootstrap, sluice::config::Context(errors, &positions));
  if (valid && mark.hit()) std::abort();
  if (!valid && errors.empty()) std::abort();
  if (errors.status().ok() != errors.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  load(text, sluice::config::Format::kYaml);
  load(text, sluice::config::Format::kJson);
  load(text, sluice::config::Format::kText);
  return 0;
}
