#include "source/extensions/transport_sockets/http_11_proxy/transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <variant>

#include "source/stream/metadata.h"

namespace sluice::extensions::transport_sockets::http_11_proxy {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

// Of "HTTP/1.1 200 OK"; 0: it is no status line.
int statusOf(std::string_view line) {
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return 0;
  if (line.size() > 12 && line[12] != ' ' && line[12] != '\r') return 0;
  int status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return 0;
    status = status * 10 + (c - '0');
  }
  return status;
}

}  // namespace

using Status = net::Transport::Status;

Status TunnelTransport::begin(const Io& io) {
  if (const Status status = send(io, request_); status != Status::kDone) return status;
  for (;;) {
    if (const Status status = takeAnswer(io); status != Status::kDone) return status;
    if (const Status status = judge(); status != Status::kWantRead) return status;
  }
}

Status TunnelTransport::takeAnswer(const Io& io) {
  while (!answer_.ends_with(kHeadEnd)) {
    char ahead[1024];
    const size_t room = std::min(sizeof(ahead), kMaxAnswer - answer_.size());
    if (room == 0) return failed("the proxy's answer to CONNECT has a head of more than 8192 bytes");
    const ssize_t seen = recv(io.fd, ahead, room, MSG_PEEK);
    if (seen == 0) return failed("the proxy closed the connection before it answered CONNECT");
    if (seen < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? Status::kWantRead : failed(errno);
    }
    const size_t before = answer_.size();
    answer_.append(ahead, static_cast<size_t>(seen));
    const size_t end = answer_.find(kHeadEnd, before < 3 ? 0 : before - 3);
    if (end != std::string::npos) answer_.resize(end + kHeadEnd.size());
    // It lies there: nobody else reads.
    if (recv(io.fd, ahead, answer_.size() - before, 0) < 0) return failed(errno);
  }
  return Status::kDone;
}

Status TunnelTransport::judge() {
  const int status = statusOf(std::string_view(answer_).substr(0, answer_.find("\r\n")));
  answer_.clear();
  if (status >= 200 && status < 300) return Status::kDone;
  if (status >= 100 && status < 200 && status != 101) return Status::kWantRead;
  if (status == 0) return failed("the proxy answered CONNECT with something that is not HTTP/1");
  return failed("the proxy answered CONNECT with status " + std::to_string(status));
}

net::TransportPtr TunnelFactory::make(const Options& options) const {
  net::TransportPtr inner = makeInner(options);
  if (options.host == nullptr || !proxyOf(options)) return inner;
  return std::make_unique<TunnelTransport>(options.host->toString(), std::move(inner));
}

std::optional<net::Address> TunnelFactory::proxyOf(const Options& options) const {
  // What is on this machine already is not reached through a proxy.
  if (options.host == nullptr || !options.host->isIp()) return std::nullopt;
  const stream::MetadataValue* named =
      options.host_metadata == nullptr || options.host_metadata->fields() == nullptr
          ? nullptr
          : stream::findMetadata(*options.host_metadata->fields(), stream::kProxyAddressMetadata, {"address"});
  const auto* text = named == nullptr ? nullptr : std::get_if<std::string>(&named->value);
  if (text == nullptr) return proxy_;
  const absl::StatusOr<net::Address> address = net::Address::parse(*text);
  return address.ok() ? std::optional(*address) : proxy_;
}

}  // namespace sluice::extensions::transport_sockets::http_11_proxy
