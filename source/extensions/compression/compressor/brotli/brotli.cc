#include "source/extensions/compression/compressor/brotli/brotli.h"

#include <cstdlib>

namespace sluice::extensions::compression::compressor::brotli {
namespace {

BrotliEncoderOperation operationOf(api::Flush flush) {
  switch (flush) {
    case api::Flush::kNone:
      return BROTLI_OPERATION_PROCESS;
    case api::Flush::kSync:
      return BROTLI_OPERATION_FLUSH;
    case api::Flush::kEnd:
      break;
  }
  return BROTLI_OPERATION_FINISH;
}

}  // namespace

void Compressor::begin() {
  encoder_ = BrotliEncoderCreateInstance(api::BlockCache::allocateFor, api::BlockCache::releaseFor, &memory_);
  if (encoder_ == nullptr) std::abort();
  BrotliEncoderSetParameter(encoder_, BROTLI_PARAM_QUALITY, settings_.quality);
  BrotliEncoderSetParameter(encoder_, BROTLI_PARAM_MODE, settings_.mode);
  BrotliEncoderSetParameter(encoder_, BROTLI_PARAM_LGWIN, settings_.window_bits);
  BrotliEncoderSetParameter(encoder_, BROTLI_PARAM_LGBLOCK, settings_.block_bits);
  BrotliEncoderSetParameter(encoder_, BROTLI_PARAM_DISABLE_LITERAL_CONTEXT_MODELING, settings_.no_literal_contexts);
}

void Compressor::compress(std::string_view bytes, api::Flush flush, std::string& out) {
  if (encoder_ == nullptr) begin();
  const BrotliEncoderOperation operation = operationOf(flush);
  auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t in_size = bytes.size();
  bool came = false;  // something came out
  do {
    size_t room = 0;  // what comes out is read where it stands
    // Fails only for settings and orders of calls that do not come up here.
    if (!BrotliEncoderCompressStream(encoder_, operation, &in_size, &in, &room, nullptr, nullptr)) std::abort();
    came = BrotliEncoderHasMoreOutput(encoder_);
    while (BrotliEncoderHasMoreOutput(encoder_)) {
      size_t size = settings_.chunk_size;
      const uint8_t* piece = BrotliEncoderTakeOutput(encoder_, &size);
      out.append(reinterpret_cast<const char*>(piece), size);
    }
    // A call ends with the block that comes out, whatever of the input stays inside behind it.
  } while (in_size > 0 || (flush == api::Flush::kSync && came) ||
           (flush == api::Flush::kEnd && !BrotliEncoderIsFinished(encoder_)));
}

void Compressor::reset() {
  if (encoder_ != nullptr) BrotliEncoderDestroyInstance(encoder_);
  encoder_ = nullptr;
}

}  // namespace sluice::extensions::compression::compressor::brotli
