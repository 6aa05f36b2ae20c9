#include "source/listener/chain_index.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <numeric>
#include <random>

namespace sluice::listener {
namespace {

net::Cidr range(std::string_view text) {
  const size_t slash = text.find('/');
  return *net::Cidr::make(text.substr(0, slash), std::stoi(std::string(text.substr(slash + 1))));
}

filter::Accepted connection(std::string_view remote = "9.9.9.9:1234", std::string_view local = "10.0.0.1:443") {
  filter::Accepted accepted;
  accepted.remote = accepted.direct_remote = *net::Address::parse(remote);
  accepted.local = accepted.direct_local = *net::Address::parse(local);
  return accepted;
}

struct Chains {
  explicit Chains(std::initializer_list<ChainMatch> matches) {
    size_t number = 0;
    for (const ChainMatch& match : matches) REQUIRE_FALSE(index.add(match, number++));
  }
  int of(const filter::Accepted& accepted) const {
    const auto found = index.find(accepted);
    return found ? static_cast<int>(*found) : -1;
  }
  ChainIndex index;
};

TEST_CASE(
    "without criteria a chain takes every connection, without a chain "
    "none is taken") {
  CHECK(Chains{ChainMatch{}}.of(connection()) == 0);
  CHECK(Chains{ChainMatch{}}.of(connection("[::1]:1", "[::1]:2")) == 0);
  filter::Accepted by_path;
  by_path.remote = by_path.local = *net::Address::fromUnixPath("/run/a");
  CHECK(Chains{ChainMatch{}}.of(by_path) == 0);
  CHECK(Chains(std::initializer_list<ChainMatch>{}).of(connection()) == -1);
}

TEST_CASE("a port that some chain names is never left again") {
  const Chains chains({ChainMatch{}, {.destination_port = 443, .server_names = {"a"}}});
  CHECK(chains.of(connection()) == -1);
  CHECK(chains.of(connection("9.9.9.9:1", "10.0.0.1:80")) == 0);
}

TEST_CASE("of the destination ranges the longest wins") {
  const Chains chains({ChainMatch{},
                       {.destination_ranges = {range("10.0.0.0/8")}},
                       {.destination_ranges = {range("10.0.0.1/32"), range("11.0.0.0/8")}}});
  CHECK(chains.of(connection()) == 2);
  CHECK(chains.of(connection("9.9.9.9:1", "10.0.0.2:443")) == 1);
  CHECK(chains.of(connection("9.9.9.9:1", "12.0.0.1:443")) == 0);
  CHECK(chains.of(connection("[::1]:1", "[::1]:443")) == 0);
}

TEST_CASE(
    "a whole server name wins over the longest suffix, that over shorter "
    "ones, these over none") {
  const Chains chains({ChainMatch{},
                       {.server_names = {"www.example.com"}},
                       {.server_names = {"*.example.com"}},
                       {.server_names = {"*.com"}},
                       {.server_names = {"*.www.example.com"}}});
  auto of = [&](const std::string& name) {
    filter::Accepted accepted = connection();
    accepted.server_name = name;
    return chains.of(accepted);
  };
  CHECK(of("www.example.com") == 1);
  CHECK(of("a.example.com") == 2);
  CHECK(of("b.a.example.com") == 2);
  CHECK(of("a.www.example.com") == 4);
  CHECK(of("example.com") == 3);
  CHECK(of("com") == 0);
  CHECK(of("") == 0);
  CHECK(of(".example.com") == 2);
  CHECK(of("example.org") == 0);
}

TEST_CASE("the first application protocol of the client that a chain names decides") {
  const Chains chains({ChainMatch{},
                       {.transport_protocol = "tls", .application_protocols = {"h2", "h3"}},
                       {.transport_protocol = "tls", .application_protocols = {"http/1.1"}},
                       {.transport_protocol = "tls"}});
  filter::Accepted accepted = connection();
  accepted.application_protocols = {"h2"};
  CHECK(chains.of(accepted) == 0);
  accepted.transport_protocol = "tls";
  CHECK(chains.of(accepted) == 1);
  accepted.application_protocols = {"x", "http/1.1", "h2"};
  CHECK(chains.of(accepted) == 2);
  accepted.application_protocols = {"x"};
  CHECK(chains.of(accepted) == 3);
}

TEST_CASE(
    "sources: the direct peer, then whether they are local, then their "
    "address and port") {
  const Chains chains(
      {ChainMatch{},
       {.direct_source_ranges = {range("7.0.0.0/8")}},
       {.source_type = SourceType::kSameIpOrLoopback},
       {.source_type = SourceType::kExternal, .source_ranges = {range("8.0.0.0/8")}},
       {.source_type = SourceType::kExternal, .source_ranges = {range("8.0.0.0/8")}, .source_ports = {1, 2}}});
  CHECK(chains.of(connection("127.0.0.1:1")) == 2);
  CHECK(chains.of(connection("10.0.0.1:1")) == 2);
  CHECK(chains.of(connection("8.1.1.1:3")) == 3);
  CHECK(chains.of(connection("8.1.1.1:2")) == 4);
  CHECK(chains.of(connection("9.1.1.1:2")) == -1);  // external: the chain for all sources is behind
  filter::Accepted behind = connection("8.1.1.1:2");
  behind.direct_remote = *net::Address::parse("7.1.1.1:5");
  CHECK(chains.of(behind) == 1);
}

TEST_CASE("chains that fit a connection equally well are told by their numbers") {
  ChainIndex index;
  CHECK_FALSE(index.add({.server_names = {"a", "b"}}, 0));
  CHECK_FALSE(index.add({.server_names = {"b"}, .source_ports = {1}}, 1));
  CHECK(index.add({.server_names = {"c", "b"}}, 2) == 0U);
  CHECK(index.add({.server_names = {"b"}, .source_ports = {5, 1}}, 3) == 1U);
  CHECK_FALSE(index.add({}, 4));
  CHECK(index.add({.destination_ranges = {range("0.0.0.0/0")}}, 5) == 4U);
}

// --- against a slow reference ---

// How well a value fits: 0 not at all, 1 because nothing is asked for, more the more specific it is.
unsigned rank(const std::vector<net::Cidr>& ranges, const net::Address& address) {
  unsigned best = ranges.empty() ? 1 : 0;
  for (const net::Cidr& one : ranges) {
    // "Nothing" and "all addresses" are the same.
    if (one.contains(address)) best = std::max(best, one.length() + 1);
  }
  return best;
}

unsigned rankName(const std::vector<std::string>& names, const std::string& name) {
  unsigned best = names.empty() ? 1 : 0;
  for (const std::string& one : names) {
    if (one == name) best = 1000;
    if (one[0] == '*' && name.size() >= one.size() && name.ends_with(one.substr(1))) {
      best = std::max<unsigned>(best, one.size());
    }
  }
  return best;
}

unsigned rankProtocol(const std::vector<std::string>& wanted, const std::vector<std::string>& offered) {
  for (size_t i = 0; i < offered.size(); ++i) {
    if (std::find(wanted.begin(), wanted.end(), offered[i]) != wanted.end()) return 100 - i;
  }
  return wanted.empty() ? 1 : 0;
}

unsigned rankSource(SourceType type, const filter::Accepted& a) {
  const bool local = a.remote.isLoopback() || a.remote.ip() == a.local.ip();
  if (type == SourceType::kAny) return 1;
  return (type == SourceType::kSameIpOrLoopback) == local ? 2 : 0;
}

// Keeps, criterion by criterion, the chains that fit best.
int reference(const std::vector<ChainMatch>& chains, const filter::Accepted& a) {
  using Rank = std::function<unsigned(const ChainMatch&)>;
  const Rank ranks[] = {
      [&](const ChainMatch& m) { return !m.destination_port                     ? 1
                                        : *m.destination_port == a.local.port() ? 2
                                                                                : 0; },
      [&](const ChainMatch& m) { return rank(m.destination_ranges, a.local); },
      [&](const ChainMatch& m) { return rankName(m.server_names, a.server_name); },
      [&](const ChainMatch& m) {
        return m.transport_protocol.empty() ? 1 : m.transport_protocol == a.transport_protocol ? 2 : 0;
      },
      [&](const ChainMatch& m) { return rankProtocol(m.application_protocols, a.application_protocols); },
      [&](const ChainMatch& m) { return rank(m.direct_source_ranges, a.direct_remote); },
      [&](const ChainMatch& m) { return rankSource(m.source_type, a); },
      [&](const ChainMatch& m) { return rank(m.source_ranges, a.remote); },
      [&](const ChainMatch& m) {
        if (m.source_ports.empty()) return 1;
        return std::count(m.source_ports.begin(), m.source_ports.end(), a.remote.port()) > 0 ? 2 : 0;
      },
  };
  std::vector<size_t> left(chains.size());
  std::iota(left.begin(), left.end(), 0);
  for (const Rank& of : ranks) {
    unsigned best = 1;
    for (const size_t i : left) best = std::max(best, of(chains[i]));
    std::erase_if(left, [&](size_t i) { return of(chains[i]) != best; });
  }
  REQUIRE(left.size() <= 1);
  return left.empty() ? -1 : static_cast<int>(left[0]);
}

template <typename T>
std::vector<T> some(std::mt19937& random, const std::vector<T>& all) {
  std::vector<T> out;
  if (random() % 2) return out;
  for (const T& one : all) {
    if (random() % 3 == 0) out.push_back(one);
  }
  return out;
}

const std::vector<std::string> kAddresses = {"127.0.0.1", "10.0.0.1", "10.0.0.9", "10.1.0.1",
                                             "8.8.8.8",   "::1",      "fd00::1"};

TEST_CASE("the index agrees with a slow reference on random chains") {
  const std::vector<net::Cidr> ranges = {range("10.0.0.0/8"),  range("10.0.0.0/24"), range("10.0.0.1/32"),
                                         range("8.0.0.0/5"),   range("0.0.0.0/0"),   range("fd00::/8"),
                                         range("fd00::1/128"), range("::/0")};
  const std::vector<std::string> names = {"a.b.c", "*.b.c", "*.c", "b.c"};
  const std::vector<std::string> protocols = {"h2", "http/1.1", "h2c"};
  const std::vector<uint16_t> ports = {1, 2};
  std::mt19937 random(7);
  auto address = [&] {
    return *net::Address::fromIp(kAddresses[random() % kAddresses.size()], 1 + static_cast<uint16_t>(random() % 3));
  };
  int matched = 0;
  for (int round = 0; round < 2000; ++round) {
    ChainIndex index;
    std::vector<ChainMatch> chains;
    for (int i = 0; i < 12; ++i) {
      ChainMatch match;
      if (random() % 4 == 0) match.destination_port = 1 + random() % 2;
      match.destination_ranges = some(random, ranges);
      match.server_names = some(random, names);
      if (random() % 3 == 0) match.transport_protocol = random() % 2 ? "tls" : "raw_buffer";
      match.application_protocols = some(random, protocols);
      match.direct_source_ranges = some(random, ranges);
      match.source_type = static_cast<SourceType>(random() % 5 > 2 ? 0 : random() % 3);
      match.source_ranges = some(random, ranges);
      match.source_ports = some(random, ports);
      // What would overlap is not configured: tried on a copy of the index.
      ChainIndex trial;
      for (size_t k = 0; k < chains.size(); ++k) trial.add(chains[k], k);
      if (trial.add(match, chains.size())) continue;
      index.add(match, chains.size());
      chains.push_back(std::move(match));
    }
    for (int i = 0; i < 20; ++i) {
      filter::Accepted a;
      a.remote = address();
      a.direct_remote = address();
      a.local = address();
      const std::vector<std::string> asked = {"a.b.c", "x.b.c", "b.c", "x.c", "", "c"};
      a.server_name = asked[random() % asked.size()];
      if (random() % 2) a.transport_protocol = "tls";
      a.application_protocols = some<std::string>(random, {"http/1.1", "x", "h2"});
      const auto found = index.find(a);
      const int expected = reference(chains, a);
      REQUIRE((found ? static_cast<int>(*found) : -1) == expected);
      matched += expected >= 0;
    }
  }
  CHECK(matched > 2000);
}

}  // namespace
}  // namespace sluice::listener
