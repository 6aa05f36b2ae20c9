#include "source/extensions/compression/decompressor/zstd/zstd.h"

#include <zstd_errors.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace sluice::extensions::compression::decompressor::zstd {
namespace {

constexpr int kWindowLog = 23;  // 8 MiB (RFC 9659 section 3)

// The number of the dictionary that a frame was made with, 0 for none; nothing: there is not enough of the frame. Every
// frame is longer than what tells it. (RFC 8878 section 3.1.1.1; libzstd's own function wants more of the head)
std::optional<uint32_t> dictionaryOf(std::string_view frame) {
  constexpr std::string_view kMagic = "\x28\xb5\x2f\xfd";
  constexpr size_t kDictionarySizes[] = {0, 1, 2, 4};
  const size_t compared = std::min(frame.size(), kMagic.size());
  if (frame.substr(0, compared) != kMagic.substr(0, compared)) return 0;  // of no frame, or of one to be skipped
  if (frame.size() <= kMagic.size()) return std::nullopt;
  const auto descriptor = static_cast<unsigned char>(frame[kMagic.size()]);
  const bool has_window = (descriptor & 0x20) == 0;
  const size_t begin = kMagic.size() + 1 + (has_window ? 1 : 0);
  const size_t size = kDictionarySizes[descriptor & 3];
  if (frame.size() < begin + size) return std::nullopt;
  uint32_t number = 0;
  for (size_t i = size; i-- > 0;) number = number << 8 | static_cast<unsigned char>(frame[begin + i]);
  return number;
}

size_t counterOf(ZSTD_ErrorCode code) {
  switch (code) {
    case ZSTD_error_dictionary_corrupted:
    case ZSTD_error_dictionary_wrong:
      return 1;
    case ZSTD_error_checksum_wrong:
      return 2;
    case ZSTD_error_memory_allocation:
      return 3;
    default:
      return 0;
  }
}

}  // namespace

Decompressor::Decompressor(const Settings& settings)
    : settings_(settings), context_(ZSTD_createDCtx()), chunk_(settings.chunk_size) {
  if (context_ == nullptr) std::abort();
  ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kWindowLog);
}

Decompressor::Result Decompressor::decompress(std::string_view bytes, std::string& out) {
  bound_.tookIn(bytes.size());
  if (begun_ || settings_.dictionaries.empty()) return inflate(bytes, out);
  held_ += bytes;
  const std::optional<uint32_t> dictionary = dictionaryOf(held_);
  if (!dictionary) return Result::kOk;
  begun_ = true;
  if (*dictionary != 0) {
    const auto known = settings_.dictionaries.find(*dictionary);
    if (known == settings_.dictionaries.end()) {
      error_ = counterOf(ZSTD_error_dictionary_wrong);
      return Result::kInvalid;
    }
    ZSTD_DCtx_refDDict(context_, known->second.get());
  }
  return inflate(std::exchange(held_, {}), out);
}

Decompressor::Result Decompressor::inflate(std::string_view bytes, std::string& out) {
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  bool more = false;  // comes out without more going in
  while (in.pos < in.size || more) {
    ZSTD_outBuffer piece{chunk_.data(), chunk_.size(), 0};
    const size_t left = ZSTD_decompressStream(context_, &piece, &in);
    if (ZSTD_isError(left)) return fail(left);
    if (!bound_.letOut(piece.pos)) {
      error_ = 0;
      return Result::kTooLarge;
    }
    out.append(chunk_.data(), piece.pos);
    in_frame_ = left != 0;
    more = in_frame_ && piece.pos == piece.size;
  }
  return Result::kOk;
}

Decompressor::Result Decompressor::fail(size_t code) {
  error_ = counterOf(ZSTD_getErrorCode(code));
  return Result::kInvalid;
}

void Decompressor::reset() {
  ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
  if (!settings_.dictionaries.empty()) ZSTD_DCtx_refDDict(context_, nullptr);
  bound_.reset();
  held_.clear();
  begun_ = in_frame_ = false;
}

}  // namespace sluice::extensions::compression::decompressor::zstd
