#include "source/extensions/filters/listener/http_inspector/filter.h"

#include <algorithm>

namespace sluice::extensions::listener_filters::http_inspector {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9110, 5.6.2
bool isTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

Finding ofRequestLine(std::string_view line) {
  const size_t space = line.rfind(' ');
  if (space == line.npos || line.find(' ') == space) return Finding::kNone;
  const std::string_view version = line.substr(space + 1);
  if (version == "HTTP/1.1") return Finding::kHttp11;
  return version == "HTTP/1.0" ? Finding::kHttp10 : Finding::kNone;
}

}  // namespace

Finding detect(std::string_view bytes) {
  const size_t common = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, common) == kPreface.substr(0, common)) {
    return common == kPreface.size() ? Finding::kHttp2 : Finding::kNeedMore;
  }
  const size_t method_end = std::find_if_not(bytes.begin(), bytes.end(), isTokenChar) - bytes.begin();
  if (method_end < bytes.size() && (method_end == 0 || bytes[method_end] != ' ')) return Finding::kNone;
  const size_t end = bytes.find('\n');
  if (end == bytes.npos) return bytes.size() >= kMaxLine ? Finding::kNone : Finding::kNeedMore;
  std::string_view line = bytes.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return ofRequestLine(line);
}

filter::ListenerFilter::Result Filter::inspect(std::string_view bytes, filter::Accepted& accepted,
                                               observability::StatsCells& cells) const {
  switch (detect(bytes)) {
    case Finding::kNeedMore:
      return {Verdict::kMore};
    case Finding::kNone:
      cells.add(settings_.not_found);
      break;
    case Finding::kHttp10:
      cells.add(settings_.http10);
      accepted.application_protocols = {"http/1.0"};
      break;
    case Finding::kHttp11:
      cells.add(settings_.http11);
      accepted.application_protocols = {"http/1.1"};
      break;
    case Finding::kHttp2:
      cells.add(settings_.http2);
      accepted.application_protocols = {"h2c"};
      break;
  }
  return {Verdict::kDone};
}

}  // namespace sluice::extensions::listener_filters::http_inspector
