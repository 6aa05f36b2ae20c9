// Requests and answers of HTTP/1 as text, for tests of sessions.
#pragma once

#include <string>
#include <string_view>

#include "source/session/test_session.h"

namespace sluice::session {

inline const std::string kGet = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
inline std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nhost: x\r\n" + std::string(fields) + "\r\n";
}
// An answer without its date.
inline std::string undated(std::string text) {
  for (size_t at = text.find("date: "); at != std::string::npos; at = text.find("date: ")) {
    text.erase(at, text.find("\r\n", at) + 2 - at);
  }
  return text;
}
inline std::string ok(std::string_view body, std::string_view more = "") {
  return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n" +
         std::string(body);
}
inline void answerAll(TestSession& t, std::string body = "hi") {
  t.terminals.on_end = [body](TestTerminal& stream) { stream.answer(200, body); };
}

}  // namespace sluice::session
