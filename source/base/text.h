// Joining text. absl::StrCat of Debian's build knows absl::string_view only; these take std::string_view too.
//
//   std::string message = base::strCat("cluster '", name, "': ", count, " hosts");
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sluice::base {

inline absl::string_view toAbsl(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view toStd(absl::string_view text) {
  return {text.data(), text.size()};
}

namespace text_internal {
template <typename T>
decltype(auto) piece(const T& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return toAbsl(value);
  } else {
    return (value);
  }
}
}  // namespace text_internal

// Pieces: text, numbers (doubles with six digits).
template <typename... Pieces>
[[nodiscard]] std::string strCat(const Pieces&... pieces) {
  return absl::StrCat(text_internal::piece(pieces)...);
}

template <typename... Pieces>
void strAppend(std::string& out, const Pieces&... pieces) {
  absl::StrAppend(&out, text_internal::piece(pieces)...);
}

}  // namespace sluice::base
