// How many connections each of many addresses has, in memory that never grows, however many addresses there are.
//
// A count-min sketch: four rows of cells, of which an address has one in each row, chosen by a hash that clients do not
// know. Its count is the smallest of its cells. So it is never counted too low, and too high only if others have filled
// all four: with a hundred thousand clients of one connection each that is some units at most. Cells are relaxed
// atomics; any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "source/net/cidr.h"

namespace sluice::extensions::listener_filters::address_limit {

class AddressCounts {
 public:
  AddressCounts();
  // `seed`: of the hash.
  explicit AddressCounts(uint64_t seed) : seed_(seed), cells_(std::make_unique<Rows>()) {}
  AddressCounts(const AddressCounts&) = delete;
  AddressCounts& operator=(const AddressCounts&) = delete;

  // One more of that network; false, and nothing is taken, if there are `limit`. Every true needs one give().
  [[nodiscard]] bool take(const net::IpBits& network, uint32_t limit);
  void give(const net::IpBits& network);

 private:
  static constexpr unsigned kRows = 4, kColumnBits = 14;
  using Row = std::array<std::atomic<uint32_t>, 1 << kColumnBits>;
  using Rows = std::array<Row, kRows>;

  uint64_t hashOf(const net::IpBits& network) const;
  template <typename Visit>
  void eachCell(uint64_t hash, Visit visit);

  const uint64_t seed_;
  const std::unique_ptr<Rows> cells_;  // 256 KiB
};

}  // namespace sluice::extensions::listener_filters::address_limit
