#include "source/net/datagram.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

namespace sluice::net {
namespace {

constexpr size_t kMost = DatagramBatch::kMost;
// What the kernel may put together with UDP_GRO.
constexpr size_t kGroBytes = 65536;

using Control = std::array<char, 128>;

}  // namespace

struct DatagramBatch::Slots {
  std::array<mmsghdr, kMost> headers{};
  std::array<iovec, kMost> parts{};
  std::array<sockaddr_storage, kMost> peers;
  alignas(cmsghdr) std::array<Control, kMost> control;
};

DatagramBatch::DatagramBatch() = default;
DatagramBatch::~DatagramBatch() = default;

void setTellLocal(int fd, const Address& bound) {
  const int on = 1;
  if (bound.family() == Address::Family::kIpv4) setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
  if (bound.family() == Address::Family::kIpv6) setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
}

void setTellLost(int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
}

void setGro(int fd, bool on) {
  const int value = on ? 1 : 0;
  setsockopt(fd, SOL_UDP, UDP_GRO, &value, sizeof(value));
}

void DatagramBatch::prepare(const Limits& limits) {
  const size_t wanted = limits.gro ? kGroBytes : limits.max_size;
  if (!slots_) slots_ = std::make_unique<Slots>();
  if (wanted > stride_) {
    stride_ = wanted;
    bytes_ = std::make_unique_for_overwrite<char[]>(stride_ * kMost);
  }
  if (wanted != size_) used_ = kMost;
  size_ = wanted;
  for (size_t i = 0; i < used_; ++i) {
    slots_->parts[i] = {bytes_.get() + i * stride_, wanted};
    msghdr& header = slots_->headers[i].msg_hdr;
    header.msg_name = &slots_->peers[i];
    header.msg_namelen = sizeof(sockaddr_storage);
    header.msg_iov = &slots_->parts[i];
    header.msg_iovlen = 1;
    header.msg_control = slots_->control[i].data();
    header.msg_controllen = sizeof(Control);
    header.msg_flags = 0;
  }
}

int DatagramBatch::receive(int fd, const Limits& limits) {
  prepare(limits);
  count_ = oversized_ = lost_ = 0;
  const int got = recvmmsg(fd, slots_->headers.data(), kMost, MSG_DONTWAIT, nullptr);
  used_ = std::min<size_t>(kMost, std::max(0, got) + 1);  // the one that found nothing too
  if (got < 0) return errno;
  for (int i = 0; i < got; ++i) take(i, slots_->headers[i].msg_len, limits);
  return 0;
}

void DatagramBatch::take(size_t slot, size_t bytes, const Limits& limits) {
  msghdr& header = slots_->headers[slot].msg_hdr;
  Address peer, local;
  if (limits.bound != nullptr) local = *limits.bound;
  if (header.msg_namelen > 0) {
    peer = Address::fromSockaddr(reinterpret_cast<sockaddr*>(&slots_->peers[slot]), header.msg_namelen);
  }
  size_t segment = bytes;
  for (cmsghdr* told = CMSG_FIRSTHDR(&header); told != nullptr; told = CMSG_NXTHDR(&header, told)) {
    if (told->cmsg_level == SOL_UDP && told->cmsg_type == UDP_GRO) {
      int size;
      memcpy(&size, CMSG_DATA(told), sizeof(size));
      if (size > 0) segment = size;
    } else if (told->cmsg_level == SOL_SOCKET && told->cmsg_type == SO_RXQ_OVFL) {
      memcpy(&lost_, CMSG_DATA(told), sizeof(lost_));
    } else if (told->cmsg_level == IPPROTO_IP && told->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      memcpy(&info, CMSG_DATA(told), sizeof(info));
      local = Address::fromIpv4Bytes(&info.ipi_addr, local.port());
    } else if (told->cmsg_level == IPPROTO_IPV6 && told->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      memcpy(&info, CMSG_DATA(told), sizeof(info));
      local = Address::fromIpv6Bytes(&info.ipi6_addr, local.port());
    }
  }
  if (header.msg_flags & MSG_TRUNC) {
    ++oversized_;
    return;
  }
  const char* at = bytes_.get() + slot * stride_;
  if (bytes == 0) return add({at, 0}, limits.max_size, peer, local);
  for (size_t begin = 0; begin < bytes; begin += segment) {
    add({at + begin, std::min(segment, bytes - begin)}, limits.max_size, peer, local);
  }
}

void DatagramBatch::add(std::string_view payload, size_t max_size, const Address& peer, const Address& local) {
  if (payload.size() > max_size) {
    ++oversized_;
    return;
  }
  if (count_ == datagrams_.size()) datagrams_.emplace_back();
  datagrams_[count_++] = {payload, peer, local};
}

namespace {

// Where replies of a socket that is bound to all addresses come from.
size_t putSource(const Address& from, Control& control) {
  auto* told = reinterpret_cast<cmsghdr*>(control.data());
  if (from.family() == Address::Family::kIpv4) {
    in_pktinfo info{};
    info.ipi_spec_dst = reinterpret_cast<const sockaddr_in*>(from.sockaddrPointer())->sin_addr;
    *told = {CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO};
    memcpy(CMSG_DATA(told), &info, sizeof(info));
    return CMSG_SPACE(sizeof(info));
  }
  in6_pktinfo info{};
  info.ipi6_addr = reinterpret_cast<const sockaddr_in6*>(from.sockaddrPointer())->sin6_addr;
  *told = {CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO};
  memcpy(CMSG_DATA(told), &info, sizeof(info));
  return CMSG_SPACE(sizeof(info));
}

Sent sendAll(int fd, std::span<const std::string_view> payloads, const msghdr& like) {
  std::array<mmsghdr, kMost> headers;
  std::array<iovec, kMost> parts;
  const size_t count = std::min(payloads.size(), kMost);
  for (size_t i = 0; i < count; ++i) {
    parts[i] = {const_cast<char*>(payloads[i].data()), payloads[i].size()};
    headers[i].msg_hdr = like;
    headers[i].msg_hdr.msg_iov = &parts[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  Sent sent;
  bool told = false;  // of an error that an earlier datagram had met on its way
  for (size_t next = 0; next < count;) {
    const int done = sendmmsg(fd, &headers[next], count - next, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done > 0) {
      for (int i = 0; i < done; ++i) sent.bytes += payloads[next + i].size();
      sent.datagrams += done;
      next += done;
    } else if (errno == ECONNREFUSED && !told) {
      told = true;  // this one has not been sent yet
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      sent.failed += count - next;
      break;
    } else if (errno != EINTR) {
      ++sent.failed;
      ++next;
    }
  }
  return sent;
}

}  // namespace

Sent sendDatagrams(int fd, std::span<const std::string_view> payloads) {
  return sendAll(fd, payloads, msghdr{});
}

Sent sendDatagramsTo(int fd, std::span<const std::string_view> payloads, const Address& to, const Address& from) {
  alignas(cmsghdr) Control control;
  msghdr like{};
  like.msg_name = const_cast<sockaddr*>(to.sockaddrPointer());
  like.msg_namelen = to.sockaddrLength();
  if (from.isIp()) {
    like.msg_control = control.data();
    like.msg_controllen = putSource(from, control);
  }
  return sendAll(fd, payloads, like);
}

}  // namespace sluice::net
