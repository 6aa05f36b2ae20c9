// Texts of requests and what a server hears of them, for the tests of its codec.
#pragma once

#include <initializer_list>
#include <string>

#include "source/http/h1/test_heard.h"

namespace sluice::http::h1 {

inline std::string heard(std::string_view bytes, const CodecLimits& limits = {}) {
  return heardBy<ServerRecorder>(bytes, false, limits);
}

inline std::string head(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

inline std::string post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

inline std::string chunked(std::string_view body) {
  return post("Transfer-Encoding: chunked\r\n", body);
}

// Whether the owner heard nothing but an error with that status.
inline bool refused(const std::string& record, int status) {
  return record.starts_with("error " + std::to_string(status)) && record.find('\n') == record.size() - 1;
}

inline std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (int value : values) out.push_back(static_cast<char>(value));
  return out;
}

}  // namespace sluice::http::h1
