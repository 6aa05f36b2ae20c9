#include "source/extensions/compression/compressor/zstd/zstd.h"

#include <cstdlib>

namespace sluice::extensions::compression::compressor::zstd {
namespace {

constexpr int kHighestLevelInWindow = 19;  // above it windows grow beyond 8 MiB
constexpr int kWindowLog = 23;             // 8 MiB (RFC 9659 section 3)

ZSTD_EndDirective directiveOf(api::Flush flush) {
  switch (flush) {
    case api::Flush::kNone:
      return ZSTD_e_continue;
    case api::Flush::kSync:
      return ZSTD_e_flush;
    case api::Flush::kEnd:
      break;
  }
  return ZSTD_e_end;
}

}  // namespace

Compressor::Compressor(const Settings& settings) : context_(ZSTD_createCCtx()), chunk_(settings.chunk_size) {
  if (context_ == nullptr) std::abort();
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, settings.level);
  if (settings.level > kHighestLevelInWindow) ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, kWindowLog);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, settings.checksum);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_strategy, settings.strategy);
  // Kept for all messages: reset() forgets only the message.
  if (!settings.dictionary.empty()) {
    ZSTD_CCtx_loadDictionary(context_, settings.dictionary.data(), settings.dictionary.size());
  }
}

void Compressor::compress(std::string_view bytes, api::Flush flush, std::string& out) {
  const ZSTD_EndDirective directive = directiveOf(flush);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  size_t left = 0;  // to be flushed
  do {
    ZSTD_outBuffer piece{chunk_.data(), chunk_.size(), 0};
    left = ZSTD_compressStream2(context_, &piece, &in, directive);
    // Only for want of memory: the settings are checked.
    if (ZSTD_isError(left)) std::abort();
    out.append(chunk_.data(), piece.pos);
  } while (directive == ZSTD_e_continue ? in.pos < in.size : left > 0);
}

void Compressor::reset() {
  ZSTD_CCtx_reset(context_, ZSTD_reset_session_only);
}

}  // namespace sluice::extensions::compression::compressor::zstd
