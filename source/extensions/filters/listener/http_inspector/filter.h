// Tells which HTTP version a plain connection begins with.
#pragma once

#include "source/filter/listener_filter.h"

namespace sluice::extensions::listener_filters::http_inspector {

struct Settings {
  observability::Counter http10, http11, http2, not_found;
};

enum class Finding : uint8_t { kNeedMore, kNone, kHttp10, kHttp11, kHttp2 };

// By the connection preface of HTTP/2 (RFC 9113, 3.4) or a request line (RFC 9112, 3) of at most kMaxLine bytes.
Finding detect(std::string_view bytes);
constexpr size_t kMaxLine = 8 * 1024;

class Filter : public filter::ListenerFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  size_t window() const override { return kMaxLine; }
  Result inspect(std::string_view bytes, filter::Accepted& accepted, observability::StatsCells& cells) const override;
  // TLS says in its ALPN what is inside.
  bool skips(const filter::Accepted& accepted, observability::StatsCells&) const override {
    return accepted.transport_protocol == "tls";
  }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::listener_filters::http_inspector
