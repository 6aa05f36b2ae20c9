#include "source/http/h1/fault.h"

#include <iterator>

namespace sluice::http::h1 {

namespace {

struct Row {
  Fault fault;
  ProtocolError error;
};

// Where Envoy has a word for the fault, the detail is that word.
constexpr Row kRows[] = {
    {Fault::kNone, {500, "http1.codec_error"}},
    {Fault::kInvalidCharacters, {400, "http1.invalid_characters"}},
    {Fault::kInvalidRequestLine, {400, "http1.invalid_request_line"}},
    {Fault::kInvalidStatusLine, {502, "http1.invalid_status_line"}},
    {Fault::kInvalidMethod, {400, "http1.invalid_method"}},
    {Fault::kInvalidTarget, {400, "http1.invalid_url"}},
    {Fault::kFragment, {400, "http1.fragment_in_target"}},
    {Fault::kTargetTooLong, {414, "http1.target_too_long"}},
    {Fault::kInvalidVersion, {400, "http1.invalid_version"}},
    {Fault::kUnsupportedVersion, {505, "http1.unsupported_version"}},
    {Fault::kLowVersion, {426, "low_version"}},
    {Fault::kHttp09, {400, "http1.http09_request"}},
    {Fault::kHttp2Preface, {505, "http1.http2_preface"}},
    {Fault::kObsFold, {400, "http1.obsolete_line_folding"}},
    {Fault::kSpaceBeforeColon, {400, "http1.space_before_colon"}},
    {Fault::kEmptyName, {400, "http1.empty_header_name"}},
    {Fault::kNoColon, {400, "http1.header_without_colon"}},
    {Fault::kHeadersTooLarge, {431, "http1.headers_too_large"}},
    {Fault::kTooManyHeaders, {431, "http1.too_many_headers"}},
    {Fault::kTrailersTooLarge, {431, "http1.trailers_too_large"}},
    {Fault::kTooManyTrailers, {431, "http1.too_many_trailers"}},
    {Fault::kInvalidHost, {400, "http1.invalid_host"}},
    {Fault::kMissingHost, {400, "missing_host_header"}},
    {Fault::kManyHosts, {400, "http1.multiple_host_headers"}},
    {Fault::kConflictingHost, {400, "http1.conflicting_host"}},
    {Fault::kInvalidContentLength, {400, "http1.invalid_content_length"}},
    {Fault::kManyContentLengths, {400, "http1.multiple_content_lengths"}},
    {Fault::kLengthAndChunked, {400, "http1.content_length_and_chunked_not_allowed"}},
    {Fault::kInvalidTransferCoding, {400, "http1.invalid_transfer_encoding"}},
    {Fault::kUnknownTransferCoding, {501, "http1.unknown_transfer_encoding"}},
    {Fault::kTransferCodingIn10, {400, "http1.transfer_encoding_not_allowed"}},
    {Fault::kConnectWithBody, {400, "http1.body_disallowed"}},
    {Fault::kUnknownExpectation, {417, "http1.unknown_expectation"}},
    {Fault::kInvalidChunkSize, {400, "http1.invalid_chunk_size"}},
    {Fault::kInvalidChunkExtension, {400, "http1.invalid_chunk_extension"}},
    {Fault::kChunkExtensionTooLong, {400, "http1.chunk_extension_too_long"}},
    {Fault::kInvalidChunkEnd, {400, "http1.invalid_chunk_end"}},
    {Fault::kIncompleteMessage, {400, "http1.incomplete_message"}},
    {Fault::kUnaskedSwitch, {502, "http1.unasked_switching_protocols"}},
    {Fault::kTooManyInformational, {502, "http1.too_many_informational_responses"}},
    {Fault::kUnsolicitedResponse, {502, "http1.unsolicited_response"}},
};

constexpr bool inOrder() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (kRows[i].fault != static_cast<Fault>(i)) return false;
  }
  return std::size(kRows) == static_cast<size_t>(Fault::kCount);
}
static_assert(inOrder(), "one row for each fault, in the order of the enum");

}  // namespace

ProtocolError requestError(Fault fault) {
  return kRows[static_cast<size_t>(fault)].error;
}

ProtocolError responseError(Fault fault) {
  return {502, kRows[static_cast<size_t>(fault)].error.detail};
}

}  // namespace sluice::http::h1
