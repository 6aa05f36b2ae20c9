#include "source/extensions/compression/compressor/gzip/gzip.h"

#include <cstdlib>

namespace sluice::extensions::compression::compressor::gzip {
namespace {

constexpr int kGzipHeader = 16;  // added to window bits: not zlib's own format

int modeOf(api::Flush flush) {
  switch (flush) {
    case api::Flush::kNone:
      return Z_NO_FLUSH;
    case api::Flush::kSync:
      return Z_SYNC_FLUSH;
    case api::Flush::kEnd:
      break;
  }
  return Z_FINISH;
}

}  // namespace

Compressor::Compressor(const Settings& settings) : chunk_(settings.chunk_size) {
  // Fails for want of memory only: the settings are checked.
  if (deflateInit2(&stream_, settings.level, Z_DEFLATED, settings.window_bits + kGzipHeader, settings.memory_level,
                   settings.strategy) != Z_OK) {
    std::abort();
  }
}

Compressor::~Compressor() {
  deflateEnd(&stream_);
}

void Compressor::compress(std::string_view bytes, api::Flush flush, std::string& out) {
  const int mode = modeOf(flush);
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_.avail_in = static_cast<uInt>(bytes.size());
  do {
    stream_.next_out = reinterpret_cast<Bytef*>(chunk_.data());
    stream_.avail_out = static_cast<uInt>(chunk_.size());
    deflate(&stream_, mode);
    out.append(chunk_.data(), chunk_.size() - stream_.avail_out);
  } while (stream_.avail_out == 0);
}

void Compressor::reset() {
  deflateReset(&stream_);
}

}  // namespace sluice::extensions::compression::compressor::gzip
