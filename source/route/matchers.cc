#include "source/route/matchers.h"

#include <algorithm>

#include "source/http/grpc.h"
#include "source/stream/stream_info.h"

namespace sluice::route {
namespace {

// A part of the random number that weights of clusters, which take the number itself, leave alone: else the requests of
// a route with a share of 10% would all go to the first of its clusters.
uint64_t chanceOf(uint64_t random) {
  return random >> 32;
}

// Calls `keep` with the parts of the path between its parameters, until it returns false.
template <class Keep>
void forEachKept(std::string_view path, Keep keep) {
  while (!path.empty()) {
    const size_t end = std::min(path.find(';'), path.size());
    if (!keep(path.substr(0, end))) return;
    path.remove_prefix(end);
    path.remove_prefix(std::min(path.find('/'), path.size()));
  }
}

}  // namespace

RequestView RequestView::of(const http::RequestHeaders& headers, Surroundings around) {
  const size_t mark = headers.path.find('?');
  if (mark == std::string_view::npos) return {headers, headers.path, {}, around};
  return {headers, headers.path.substr(0, mark), headers.path.substr(mark + 1), around};
}

std::string_view withoutParameters(std::string_view path, base::Arena& arena) {
  if (path.find(';') == std::string_view::npos) return path;
  char* const out = arena.allocate(path.size());
  size_t size = 0;
  forEachKept(path, [&](std::string_view part) {
    std::copy(part.begin(), part.end(), out + size);
    size += part.size();
    return true;
  });
  return {out, size};
}

size_t sizeWithParameters(std::string_view path, size_t size) {
  size_t end = 0, left = size;
  forEachKept(path, [&](std::string_view part) {
    if (left == 0) return false;
    const size_t taken = std::min(left, part.size());
    end = static_cast<size_t>(part.data() - path.data()) + taken;
    left -= taken;
    return true;
  });
  return end;
}

bool StreamConditions::hold(const Surroundings& around) const {
  if (fraction && !fraction->includes(chanceOf(around.random))) return false;
  const stream::StreamInfo* const info = around.info;
  if (certificate_presented || certificate_validated) {
    const net::TlsInfo* const tls = info == nullptr ? nullptr : info->downstreamTls();
    if (certificate_presented && *certificate_presented != (tls != nullptr && tls->peer_presented)) return false;
    if (certificate_validated && *certificate_validated != (tls != nullptr && tls->peer_validated)) return false;
  }
  const stream::DynamicMetadata* const left = info == nullptr ? nullptr : info->dynamic_metadata.get();
  const stream::FilterState* const state = info == nullptr ? nullptr : info->filter_state.get();
  return std::all_of(metadata.begin(), metadata.end(), [&](const auto& m) { return m.matches(left); }) &&
         std::all_of(filter_state.begin(), filter_state.end(), [&](const auto& m) { return m.matches(state); });
}

bool Conditions::hold(const RequestView& request) const {
  return std::all_of(headers.begin(), headers.end(), [&](const auto& m) { return m.matches(request.headers); }) &&
         std::all_of(query.begin(), query.end(), [&](const auto& m) { return m.matches(request.query); }) &&
         std::all_of(cookies.begin(), cookies.end(), [&](const auto& m) { return m.matches(request.headers); }) &&
         (!grpc || http::grpc::isGrpcRequest(request.headers)) && (stream == nullptr || stream->hold(request.around));
}

}  // namespace sluice::route
