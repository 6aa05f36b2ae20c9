// Tells whether a connection begins with TLS, and which name and protocols its client asks for.
#pragma once

#include "source/filter/listener_filter.h"

namespace sluice::extensions::listener_filters::tls_inspector {

struct Settings {
  size_t max_client_hello = 16 * 1024;  // at most tls::kMaxClientHello
  bool ja3 = false, ja4 = false;        // fingerprints that are made of each ClientHello
  bool close_on_errors = false;         // what begins like TLS and is no ClientHello is closed instead of plain
  observability::Counter client_hello_too_large, tls_found, tls_not_found, sni_found, sni_not_found, alpn_found,
      alpn_not_found;
};

class Filter : public filter::ListenerFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  size_t window() const override { return settings_.max_client_hello; }
  Result inspect(std::string_view bytes, filter::Accepted& accepted, observability::StatsCells& cells) const override;

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::listener_filters::tls_inspector
