// What the chain engine keeps for a filter that something waits at. (see chain.h)
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace sluice::filter {

struct Stage {
  enum State : uint8_t { kOpen, kPaused, kCollecting, kDraining };
  enum Holds : uint8_t { kNothing, kHeadersHeld, kBodyHeld, kChunkHeld, kTrailersHeld };
  State state = kOpen;
  Holds holds = kNothing;    // what the hook paused on; goes on to the next stage when it resumes
  bool holds_end = false;    // that was the end of the message
  bool waiting_end = false;  // `waiting` ends the message
  bool waiting_trailers = false;
  bool partial = false;  // collecting: the beginning will do
  size_t limit = 0;      // collecting
  std::string chunk;     // kChunkHeld; kBodyHeld, behind the headers
  std::string waiting;   // arrived since; not seen by the hook yet
};

// The stages of one direction, by position.
struct Lane {
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();

  uint32_t blocked = 0;                        // bit per position whose stage is not open
  uint32_t adds_trailers = 0;                  // bit per position whose filter adds them
  size_t held = 0;                             // bytes in chunk and waiting of all stages
  bool closed = false;                         // what still arrives is dropped (a local reply was sent)
  size_t from = 0;                             // likewise what arrives at a position before this one
  std::vector<std::unique_ptr<Stage>> stages;  // empty until a stage blocks for the first time

  uint32_t blockedFrom(size_t position) const {
    return static_cast<uint32_t>(uint64_t{blocked} >> position);  // position may be 32
  }
  // The first stage that is not open, from `position` on; kNone if all are. `draining`: the one at `position` is open
  // to what it sends on itself.
  size_t firstBlocked(size_t position, bool draining) const {
    const uint32_t from = blockedFrom(position) & (draining ? ~uint32_t{1} : ~uint32_t{0});
    return from == 0 ? kNone : position + static_cast<size_t>(std::countr_zero(from));
  }
  // What arrives at the position goes nowhere.
  bool dropsAt(size_t position) const { return closed || position < from; }
  bool addsTrailers(size_t position) const { return adds_trailers >> position & 1; }
  // Null: it was never anything but open.
  const Stage* at(size_t position) const { return stages.empty() ? nullptr : stages[position].get(); }
};

}  // namespace sluice::filter
