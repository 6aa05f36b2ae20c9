// What epoll's bits mean to a watch. One place for the real loop and the one of tests.
#pragma once

#include <sys/epoll.h>

#include "source/event/loop.h"

namespace sluice::event {

inline uint32_t epollInterest(uint32_t events, Trigger trigger) {
  uint32_t bits = trigger == Trigger::kEdge ? static_cast<uint32_t>(EPOLLET) : 0;
  if (events & kReadable) bits |= EPOLLIN;
  if (events & kWritable) bits |= EPOLLOUT;
  if (events & kPeerClosed) bits |= EPOLLRDHUP;
  return bits;
}

// An error makes every call on the descriptor return, so it is told as everything.
inline uint32_t happenedOn(uint32_t bits) {
  uint32_t happened = 0;
  if (bits & (EPOLLIN | EPOLLHUP | EPOLLERR)) happened |= kReadable;
  if (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR)) happened |= kWritable;
  if (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) happened |= kPeerClosed;
  if (bits & EPOLLERR) happened |= kBroken;
  return happened;
}

}  // namespace sluice::event
