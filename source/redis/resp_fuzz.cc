// A byte that says where the rest is cut, and the rest -> the framer gives the same messages whatever the pieces are,
// each of them can be read that is not too deep, and what is written of a command is read as that command.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "source/redis/resp.h"

namespace {

using sluice::redis::Framer;

struct Outcome {
  std::vector<std::string> frames;
  bool broken = false;
};

void take(Framer& framer, Outcome& out) {
  std::string_view frame;
  for (;;) {
    switch (framer.next(frame)) {
      case Framer::Result::kNeedsMore:
        return;
      case Framer::Result::kBroken:
        out.broken = true;
        return;
      case Framer::Result::kFrame:
        out.frames.emplace_back(frame);
    }
  }
}

Outcome cut(std::string_view bytes, size_t piece) {
  Framer framer({.bytes = 4096, .items = 64});
  Outcome out;
  while (!bytes.empty() && !out.broken) {
    framer.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    take(framer, out);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = cut(bytes, bytes.size() + 1);
  const Outcome pieces = cut(bytes, data[0] % 7u + 1);
  if (whole.broken != pieces.broken || whole.frames != pieces.frames) std::abort();

  std::vector<std::string_view> words;
  for (const std::string& frame : whole.frames) {
    const auto value = sluice::redis::parse(frame);
    const auto arrays = static_cast<size_t>(std::count(frame.begin(), frame.end(), '*'));
    if (!value && arrays > sluice::redis::kMaxDepth) continue;
    if (!value || value->type != sluice::redis::typeOf(frame)) std::abort();
    const auto list = sluice::redis::listOf(frame);
    if (list.has_value() != (value->type == sluice::redis::Type::kArray)) std::abort();
    if (list && list->count != value->items.size()) std::abort();
    if (!sluice::redis::parseCommand(frame, words)) continue;
    std::string written;
    sluice::redis::appendCommand(words, written);
    std::vector<std::string_view> again;
    if (!sluice::redis::parseCommand(written, again) || again != words) std::abort();
  }
  return 0;
}
