#include "source/upstream/cluster/host_matcher.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "source/base/random.h"
#include "test/support/allocations/allocations.h"

namespace sluice::upstream::cluster {
namespace {

Endpoint endpoint(uint32_t number) {
  Endpoint out;
  const uint32_t ip = __builtin_bswap32(0x0a000000u + number / 3);
  out.address = net::Address::fromIpv4Bytes(&ip, 80);
  // Some hosts share an address, and differ in their names.
  if (number % 3 != 0) out.hostname = "a-host-with-a-name-too-long-for-a-small-string-" + std::to_string(number % 3);
  return out;
}

Assignment assignmentOf(const std::vector<uint32_t>& numbers) {
  Assignment out;
  LocalityEndpoints& locality = out.localities.emplace_back();
  for (const uint32_t number : numbers) locality.endpoints.push_back(endpoint(number));
  return out;
}

std::vector<uint32_t> upTo(uint32_t end) {
  std::vector<uint32_t> out(end);
  for (uint32_t i = 0; i < end; ++i) out[i] = i;
  return out;
}

// Some leave, some come, some change places, anywhere.
void change(std::vector<uint32_t>& numbers, base::Random& random, uint32_t& next) {
  const auto anywhere = [&] { return numbers.begin() + static_cast<std::ptrdiff_t>(random.below(numbers.size() + 1)); };
  for (uint64_t i = random.below(6); i > 0 && !numbers.empty(); --i) {
    numbers.erase(numbers.begin() + static_cast<std::ptrdiff_t>(random.below(numbers.size())));
  }
  for (uint64_t i = random.below(6); i > 0; --i) numbers.insert(anywhere(), next++);
  if (random.below(4) == 0) std::rotate(numbers.begin(), anywhere(), numbers.end());
  if (random.below(8) == 0) std::reverse(numbers.begin(), numbers.end());
}

TEST_CASE("hosts that stay are the same in their slots, whatever comes, leaves and moves") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    base::Random random(seed);
    uint32_t next = static_cast<uint32_t>(random.below(100));
    std::vector<uint32_t> numbers = upTo(next);
    HostSetPtr before = HostSet::build(assignmentOf(numbers), {}, nullptr);
    for (int round = 0; round < 10; ++round) {
      std::map<std::string, const Host*> old;
      for (const HostSet::Entry& entry : before->entries()) {
        old.emplace(entry.host->addressText() + entry.host->hostname(), entry.host.get());
      }
      change(numbers, random, next);
      const HostSetPtr after = HostSet::build(assignmentOf(numbers), {}, before.get());

      REQUIRE(after->entries().size() == numbers.size());
      REQUIRE(after->hostCount() == numbers.size());
      std::set<HostSlot> slots;
      for (size_t i = 0; i < numbers.size(); ++i) {
        const Host& host = *after->entries()[i].host;
        const Endpoint wanted = endpoint(numbers[i]);
        REQUIRE(host.address() == wanted.address);
        REQUIRE(host.hostname() == wanted.hostname);
        REQUIRE(after->host(host.slot()) == &host);
        REQUIRE(slots.insert(host.slot()).second);
        REQUIRE(after->availableAt(host.address()) != kNoHost);
        const auto known = old.find(host.addressText() + host.hostname());
        if (known != old.end()) REQUIRE(known->second == &host);
      }
      const auto used = std::count_if(after->slots().begin(), after->slots().end(), [](auto& host) { return !!host; });
      REQUIRE(static_cast<size_t>(used) == numbers.size());
      before = after;
    }
  }
}

// Of two priorities and three localities each, in which some endpoints stand twice, in one or in several.
Assignment scattered(base::Random& random) {
  Assignment out;
  for (uint32_t i = 0; i < 6; ++i) {
    LocalityEndpoints& locality = out.localities.emplace_back();
    locality.locality.zone = std::to_string(i / 2);
    locality.priority = i % 2;
    for (uint64_t left = random.below(8); left > 0; --left) {
      locality.endpoints.push_back(endpoint(static_cast<uint32_t>(random.below(20))));
    }
  }
  return out;
}

// As slowly as it can be said: of each priority each endpoint once, as it stands first.
std::vector<std::pair<uint32_t, const Endpoint*>> expectedOf(const Assignment& assignment) {
  std::vector<std::pair<uint32_t, const Endpoint*>> out;
  for (const LocalityEndpoints& locality : assignment.localities) {
    for (const Endpoint& each : locality.endpoints) {
      const auto same = [&](const auto& other) {
        return other.first == locality.priority && identityOf(*other.second) == identityOf(each);
      };
      if (std::none_of(out.begin(), out.end(), same)) out.emplace_back(locality.priority, &each);
    }
  }
  return out;
}

TEST_CASE("an endpoint that stands in several localities and priorities is one host, wherever it moves") {
  base::Random random(7);
  HostSetPtr before = HostSet::empty();
  for (int round = 0; round < 2000; ++round) {
    CAPTURE(round);
    const Assignment assignment = scattered(random);
    const auto expected = expectedOf(assignment);

    const HostSetPtr after = HostSet::build(assignment, {}, before.get());

    REQUIRE(after->entries().size() == expected.size());
    std::map<HostSlot, const Host*> by_slot;
    for (size_t i = 0; i < expected.size(); ++i) {
      const HostSet::Entry& entry = after->entries()[i];
      const HostIdentity wanted = identityOf(*expected[i].second);
      REQUIRE(entry.priority == expected[i].first);
      REQUIRE(entry.host->monitor().identity() == wanted);
      REQUIRE(by_slot.emplace(entry.host->slot(), entry.host.get()).first->second == entry.host.get());
      REQUIRE(*after->roster().find(wanted) == entry.host);
      if (const HostPtr* known = before->roster().find(wanted)) REQUIRE(*known == entry.host);
    }
    REQUIRE(after->hostCount() == by_slot.size());
    for (HostSlot slot = 0; slot < after->slotCount(); ++slot) {
      REQUIRE((after->host(slot) != nullptr) == by_slot.contains(slot));
    }
    for (const HostPtr& gone : removedHosts(*before, *after)) {
      REQUIRE(after->roster().find(gone->monitor().identity()) == nullptr);
    }
    before = after;
  }
}

TEST_CASE("sets of the same hosts share their roster, also if their health or order is another") {
  Assignment assignment = assignmentOf(upTo(10));
  const HostSetPtr before = HostSet::build(assignment, {}, nullptr);
  std::swap(assignment.localities[0].endpoints[2], assignment.localities[0].endpoints[7]);
  assignment.localities[0].endpoints[3].health = Health::kUnhealthy;

  const HostSetPtr after = HostSet::build(assignment, {}, before.get());

  CHECK(&before->roster() == &after->roster());
  CHECK(sameHosts(*before, *after));
  assignment.localities[0].endpoints.pop_back();
  CHECK_FALSE(sameHosts(*before, *HostSet::build(assignment, {}, before.get())));
}

TEST_CASE("an update allocates for the hosts that come, not for those that stay") {
  const auto allocationsOf = [](uint32_t hosts) {
    std::vector<uint32_t> numbers = upTo(hosts);
    const HostSetPtr before = HostSet::build(assignmentOf(numbers), {}, nullptr);
    for (uint32_t i = 0; i < 10; ++i) numbers[i] = hosts + i;
    const Assignment assignment = assignmentOf(numbers);
    const uint64_t start = testing::allocations();
    const HostSetPtr after = HostSet::build(assignment, {}, before.get());
    return testing::allocations() - start;
  };

  // Growing vectors ask a few times more.
  CHECK(allocationsOf(10'000) < allocationsOf(100) + 100);
}

}  // namespace
}  // namespace sluice::upstream::cluster
