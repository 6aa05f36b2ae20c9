#include "source/extensions/compression/decompressor/brotli/brotli.h"

#include <cstdlib>

namespace sluice::extensions::compression::decompressor::brotli {

void Decompressor::begin() {
  decoder_ = BrotliDecoderCreateInstance(api::BlockCache::allocateFor, api::BlockCache::releaseFor, &memory_);
  if (decoder_ == nullptr) std::abort();
  BrotliDecoderSetParameter(decoder_, BROTLI_DECODER_PARAM_DISABLE_RING_BUFFER_REALLOCATION, settings_.whole_window);
}

Decompressor::Result Decompressor::decompress(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return Result::kOk;
  if (ended_) return fail(kRedundant);
  if (decoder_ == nullptr) begin();
  bound_.tookIn(bytes.size());
  auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t in_size = bytes.size();
  BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
  // It asks for more input though what was decoded has not all come out.
  while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT ||
         (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT && BrotliDecoderHasMoreOutput(decoder_))) {
    uint8_t* to = chunk_.data();
    size_t room = chunk_.size();
    result = BrotliDecoderDecompressStream(decoder_, &in_size, &in, &room, &to, nullptr);
    const size_t size = chunk_.size() - room;
    if (!bound_.letOut(size)) return fail(kOverflow, Result::kTooLarge);
    out.append(reinterpret_cast<const char*>(chunk_.data()), size);
  }
  if (result == BROTLI_DECODER_RESULT_ERROR) return fail(kBroken);
  ended_ = result == BROTLI_DECODER_RESULT_SUCCESS;
  return in_size > 0 ? fail(kRedundant) : Result::kOk;
}

void Decompressor::reset() {
  if (decoder_ != nullptr) BrotliDecoderDestroyInstance(decoder_);
  decoder_ = nullptr;
  bound_.reset();
  ended_ = false;
}

}  // namespace sluice::extensions::compression::decompressor::brotli
