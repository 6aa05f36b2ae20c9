// Datagrams in batches: one system call reads or sends many of them.
//
// A worker has one DatagramBatch, whose memory is made on first use and never given back; nothing is allocated for a
// datagram. Thread: the worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "source/net/address.h"

namespace sluice::net {

struct Datagram {
  std::string_view payload;  // valid until the batch is read into again
  Address peer;              // none on a connected socket
  Address local;             // where it was sent to, as far as that is known
};

// What the kernel tells with a datagram, switched on for each socket that wants it.
void setTellLocal(int fd, const Address& bound);  // which of the machine's addresses it was sent to
void setTellLost(int fd);                         // how many found the receive buffer full
void setGro(int fd, bool on);                     // the kernel may hand over several of one peer as one; they are split

class DatagramBatch {
 public:
  // System calls of one read or send take so many at once.
  static constexpr size_t kMost = 32;

  struct Limits {
    size_t max_size = 1500;          // of a datagram, in bytes; larger ones are dropped
    bool gro = false;                // setGro() is on
    const Address* bound = nullptr;  // of the socket, for Datagram::local; all addresses: see setTellLocal()
  };
  // Reads what waits, at most kMost buffers of it. errno where there was an error and no datagram (EAGAIN: nothing
  // waits), else 0.
  int receive(int fd, const Limits& limits);

  std::span<const Datagram> datagrams() const { return {datagrams_.data(), count_}; }
  size_t oversized() const { return oversized_; }
  // How many found the receive buffer full since the socket was made (modulo 2^32), where setTellLost() was called. 0:
  // the kernel did not tell this time.
  uint32_t lost() const { return lost_; }

 private:
  struct Slots;
  void prepare(const Limits& limits);
  void take(size_t slot, size_t bytes, const Limits& limits);
  void add(std::string_view payload, size_t max_size, const Address& peer, const Address& local);

  std::unique_ptr<Slots> slots_;
  std::unique_ptr<char[]> bytes_;
  size_t stride_ = 0;
  size_t size_ = 0;                  // of each buffer, as prepared last
  size_t used_ = kMost;              // so many slots are to be prepared anew
  std::vector<Datagram> datagrams_;  // the first count_ of them
  size_t count_ = 0;
  size_t oversized_ = 0;
  uint32_t lost_ = 0;

 public:
  DatagramBatch();
  ~DatagramBatch();
};

struct Sent {
  size_t datagrams = 0;
  uint64_t bytes = 0;
  size_t failed = 0;  // dropped: the socket's buffer was full, or the kernel refused them
};

// Sends each of them, at most kMost, by a connected socket.
Sent sendDatagrams(int fd, std::span<const std::string_view> payloads);
// To `to`; from the address `from` of this machine, or the one that the socket is bound to if it is none.
Sent sendDatagramsTo(int fd, std::span<const std::string_view> payloads, const Address& to, const Address& from);

}  // namespace sluice::net
