// Bytes cut anywhere give the same as in one piece, an error among it, and never more than the bound lets out.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "source/extensions/compression/decompressor/gzip/gzip.h"

using sluice::extensions::compression::decompressor::gzip::Decompressor;
using sluice::extensions::compression::decompressor::gzip::Settings;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Decompressor whole(Settings{}), pieces(Settings{});
  std::string at_once, piecewise;
  using Result = Decompressor::Result;
  const Result due = whole.decompress(bytes, at_once);
  Result result = Result::kOk;
  for (size_t i = 0; i < size && result == Result::kOk; ++i) result = pieces.decompress(bytes.substr(i, 1), piecewise);
  // By the byte the bound is reached earlier: what has not come yet does not count.
  if (due == Result::kTooLarge || result == Result::kTooLarge) return 0;
  if (result != due) std::abort();
  if (due == Result::kOk && (at_once != piecewise || whole.complete() != pieces.complete())) std::abort();
  return 0;
}
