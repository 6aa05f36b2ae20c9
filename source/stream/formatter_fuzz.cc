// Any text is a format or is refused, and whatever a peer sends, one record is one line.
// Input: the format, a zero byte, then what is used as path, header value and details.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/base/arena.h"
#include "source/stream/formatter.h"

namespace sluice::stream {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool isPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

void check(std::string_view format, const FormatContext& context) {
  const absl::StatusOr<TextFormatter> text = TextFormatter::compile(format);
  const absl::StatusOr<JsonFormatter> json = JsonFormatter::compile({{"k", {std::string(format)}}});
  require(text.ok() == json.ok());
  if (!text.ok()) return require(!text.status().message().empty());
  std::string line;
  text->format(context, line);
  // What the configuration's author wrote himself may break lines; %n and %t of a time are his, too, and are escaped.
  if (isPlain(format)) require(isPlain(line));
  line.clear();
  json->format(context, line);
  require(line.size() > 7 && line.starts_with("{\"k\":") && line.ends_with("}\n"));
  require(isPlain(std::string_view(line).substr(0, line.size() - 1)));
}

}  // namespace
}  // namespace sluice::stream

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), input.size());
  const std::string_view peer = input.substr(std::min(zero + 1, input.size()));

  base::Arena arena;
  http::RequestHeaders request(arena);
  request.path = peer;
  request.add("a", peer);
  http::ResponseHeaders response(arena);
  response.add("a", peer);
  stream::StreamInfo info;
  info.response_code_details = peer;
  info.downstream_remote_address = peer;
  info.metadata().set("f", "k", {std::string(peer)});
  stream::check(input.substr(0, zero), {&request, &response, nullptr, info});
  stream::check("%REQ(:PATH)% %RESP(a)% %RESPONSE_CODE_DETAILS% %DOWNSTREAM_REMOTE_PORT% %DYNAMIC_METADATA(f)%",
                {&request, &response, nullptr, info});
  return 0;
}
