// The suite that every HTTP filter passes: one exchange through a chain in every order in which its events can come.
//
// Tried in all combinations: where the bodies are split; which of request, response and call-out answers comes next (an
// answer early, late or never); and one fault in each place: the client goes, the upstream goes before or in the middle
// of its response, the session answers (a timeout), a call-out fails or refuses, another filter in front or behind
// replies at one of its hooks. After each event and at the end these hold:
//
//   - no hook runs after the stream's end, after its filter's own reply, out of order, or on a request that was
//   answered
//   - exactly one final response or reset; without a fault the whole one, with the bytes and trailers that are due
//   - what the upstream and the client got is a beginning of what is due
//   - all credit is there again at the end, and no call-out is left
//
// Timers of filters expire only where an answer is missing or bad.
//
// runOverCodecs does the same in a session on a socket, with a client of HTTP/1 and with one of HTTP/2: the request
// comes in bytes that are cut anywhere, and the client goes in each way that its protocol has.
//
// Run it with --config=asan to find what outlives its owner. Exhaustive up to `max_runs`; beyond that it goes on with
// as many drawn by chance from a fixed seed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/worker/thread_pool.h"
#include "test/support/filter/harness.h"

namespace sluice::filter::testing {

struct Message {
  Fields headers;
  std::string body;
  bool has_trailers = false;
  // Of requests.
  std::string method = "POST";
  std::string path = "/";
};

struct Suite {
  // The chain anew for each run, with what state it has.
  std::function<std::vector<std::shared_ptr<const HttpFilterFactory>>()> chain;
  // In place of `chain`, where more is to be said of a filter than its factory.
  std::function<std::vector<ChainConfig::Entry>()> entries = {};
  // Has a route for the request, which is to "a.example".
  std::shared_ptr<const route::Table> table = tableOf();
  // The end of the chain; null: the suite is the upstream, and brings the response. `response` then says only whether
  // trailers are due.
  std::shared_ptr<const TerminalConfig> terminal = {};
  Message request{{}, "abc", true};
  Message response{{}, "xyz", true};
  // What the other side gets of a body.
  std::function<std::string(std::string_view)> request_due = [](std::string_view body) { return std::string(body); };
  std::function<std::string(std::string_view)> response_due = [](std::string_view body) { return std::string(body); };
  // How many trailers the other side gets; nullopt: as many as the message has.
  std::optional<size_t> request_trailers_due = {};
  std::optional<size_t> response_trailers_due = {};
  // The chain answers itself: the upstream gets no request.
  bool answers_itself = false;
  // Whether what the client got with status 200 was said in place of the response, beside what has a status of gRPC
  // that is not 0.
  std::function<bool(const ClientRecord&)> answered_here = {};
  // The answer of a call-out that works, and those of which one may come instead.
  std::function<HttpCallResponse(const HttpCallRequest&)> answer = [](const HttpCallRequest&) {
    return HttpCallResponse{.status = 200};
  };
  std::vector<HttpCallResponse> bad_answers = {};
  // What the server of a gRPC call answers to each message, in order. A call that this side has ended is ended with
  // status 0 behind its last answer.
  std::function<std::string(const GrpcCallRequest&, const std::string& message)> grpc_answer = {};
  // Of these one comes in place of an answer, or where none is due. A server may also end its call with an error, and
  // timers expire where answers are bad or missing.
  std::vector<std::string> bad_grpc_answers = {};
  // One without threads of its own, whose work is done as one of the events; null: filters have none.
  worker::ThreadPool* pool = nullptr;
  size_t max_runs = 50000;
};

enum class Protocol : uint8_t { kHttp1, kHttp2 };

// What is wrong, with the events that led to it; empty if nothing is. `runs` says how many were made.
std::string runInterleavings(const Suite& suite, size_t* runs = nullptr);

// By chance from a fixed seed, with a cut at each byte of the request.
std::string runOverCodecs(const Suite& suite);

}  // namespace sluice::filter::testing
