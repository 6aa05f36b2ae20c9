#include "source/extensions/compression/decompressor/gzip/gzip.h"

#include <cstdlib>

namespace sluice::extensions::compression::decompressor::gzip {
namespace {

constexpr int kGzipHeader = 16;  // added to window bits: not zlib's own format

}  // namespace

Decompressor::Decompressor(const Settings& settings) : chunk_(settings.chunk_size), bound_(settings.max_inflate_ratio) {
  // Fails for want of memory only: the settings are checked.
  if (inflateInit2(&stream_, settings.window_bits + kGzipHeader) != Z_OK) std::abort();
}

Decompressor::~Decompressor() {
  inflateEnd(&stream_);
}

Decompressor::Result Decompressor::decompress(std::string_view bytes, std::string& out) {
  bound_.tookIn(bytes.size());
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_.avail_in = static_cast<uInt>(bytes.size());
  bool more = false;  // comes out without more going in
  while (stream_.avail_in > 0 || more) {
    in_member_ = true;
    stream_.next_out = reinterpret_cast<Bytef*>(chunk_.data());
    stream_.avail_out = static_cast<uInt>(chunk_.size());
    const int code = inflate(&stream_, Z_SYNC_FLUSH);
    const size_t size = chunk_.size() - stream_.avail_out;
    if (!bound_.letOut(size)) {
      fail(Z_DATA_ERROR);
      return Result::kTooLarge;
    }
    out.append(chunk_.data(), size);
    // All that was there has come out with the chunk before.
    if (code == Z_BUF_ERROR && stream_.avail_in == 0) break;
    if (code != Z_OK && code != Z_STREAM_END) return fail(code);
    more = code == Z_OK && stream_.avail_out == 0;
    if (code != Z_STREAM_END) continue;
    in_member_ = false;
    inflateReset(&stream_);
  }
  return Result::kOk;
}

Decompressor::Result Decompressor::fail(int code) {
  // A gzip body that needs a dictionary does not exist.
  error_ =
      code < 0 && code >= Z_VERSION_ERROR ? static_cast<size_t>(-code) - 1 : static_cast<size_t>(-Z_DATA_ERROR) - 1;
  return Result::kInvalid;
}

void Decompressor::reset() {
  inflateReset(&stream_);
  bound_.reset();
  in_member_ = false;
}

}  // namespace sluice::extensions::compression::decompressor::gzip
