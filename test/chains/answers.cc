#include "test/chains/answers.h"

#include "envoy/service/auth/v3/external_auth.pb.h"
#include "envoy/service/ext_proc/v3/external_processor.pb.h"
#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "test/chains/messages.h"

namespace sluice::chains {

using filter::HttpCallResponse;
using filter::testing::FakeGrpcCall;

namespace {

namespace processor = envoy::service::ext_proc::v3;

// What fits the question: as it came, or with changes.
std::string processed(base::Random& random, const std::string& question) {
  processor::ProcessingRequest request;
  if (!request.ParseFromString(question)) return "";
  processor::ProcessingResponse out;
  const bool changes = once(random, 4);
  const auto head = [&](processor::HeadersResponse& answer) {
    if (!changes) return;
    auto& set = *answer.mutable_response()->mutable_header_mutation()->add_set_headers()->mutable_header();
    set.set_key("x-processed");
    set.set_raw_value("1");
  };
  const auto body = [&](const processor::HttpBody& in, processor::BodyResponse& answer) {
    auto& mutation = *answer.mutable_response()->mutable_body_mutation();
    if (changes) {
      mutation.set_body("processed");
    } else if (once(random, 2)) {
      mutation.set_body(in.body());
    }
  };
  switch (request.request_case()) {
    case processor::ProcessingRequest::kRequestHeaders:
      head(*out.mutable_request_headers());
      break;
    case processor::ProcessingRequest::kResponseHeaders:
      head(*out.mutable_response_headers());
      break;
    case processor::ProcessingRequest::kRequestBody:
      body(request.request_body(), *out.mutable_request_body());
      break;
    case processor::ProcessingRequest::kResponseBody:
      body(request.response_body(), *out.mutable_response_body());
      break;
    case processor::ProcessingRequest::kRequestTrailers:
      out.mutable_request_trailers();
      break;
    case processor::ProcessingRequest::kResponseTrailers:
      out.mutable_response_trailers();
      break;
    default:
      break;
  }
  if (once(random, 12)) out.mutable_immediate_response()->mutable_status()->set_code(envoy::type::v3::Forbidden);
  return out.SerializeAsString();
}

}  // namespace

HttpCallResponse randomAnswer(base::Random& random) {
  HttpCallResponse out;
  out.status = oneOf<uint16_t>(random, {200, 200, 200, 200, 403, 404, 500, 0});
  if (out.status == 0) {
    out.failure = oneOf<std::string_view>(random, {"timeout", "reset", "no_cluster", "response_too_large"});
    return out;
  }
  if (!once(random, 4)) out.body = randomBody(random, once(random, 2) ? "application/json" : "text/plain");
  if (once(random, 2)) out.headers.emplace_back("content-length", std::to_string(out.body.size()));
  if (once(random, 2)) out.headers.emplace_back("content-type", "application/json");
  if (once(random, 3)) out.headers.emplace_back("x-user", "service");
  if (once(random, 3)) out.headers.emplace_back("set-cookie", "c=1");
  return out;
}

std::string randomGrpcAnswer(base::Random& random, const FakeGrpcCall& call, const std::string& question) {
  if (once(random, 12)) return oneOf<std::string>(random, {"", "\xff", "\x0a\x05"});
  if (call.request.path.ends_with("/Process")) return processed(random, question);
  if (call.request.path.ends_with("/ShouldRateLimit")) {
    using Answer = envoy::service::ratelimit::v3::RateLimitResponse;
    Answer out;
    out.set_overall_code(once(random, 4) ? Answer::OVER_LIMIT : Answer::OK);
    return out.SerializeAsString();
  }
  envoy::service::auth::v3::CheckResponse out;
  if (once(random, 4)) {
    out.mutable_status()->set_code(7);
    out.mutable_denied_response()->set_body("denied");
  } else {
    auto& set = *out.mutable_ok_response()->add_headers()->mutable_header();
    set.set_key("x-user");
    set.set_value("checked");
  }
  return out.SerializeAsString();
}

}  // namespace sluice::chains
