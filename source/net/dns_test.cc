#include "source/net/dns.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>

#include "source/net/dns_name.h"

namespace sluice::net {
namespace {

using Status = DnsResult::Status;

constexpr uint16_t kA = 1;
constexpr uint16_t kCname = 5;
constexpr uint16_t kAaaa = 28;

struct Record {
  uint16_t type;
  uint32_t ttl;
  std::string data;        // an IP, or the name that an alias stands for
  std::string owner = "";  // empty: the name asked for
};

struct Answer {
  int rcode = 0;  // 0 ok, 2 server failure, 3 no such name, 5 refused; -1: no answer at all
  std::vector<Record> records;
};

// A DNS server over UDP on a free port of the loopback, played on the loop under test.
class FakeDnsServer : public event::FdHandler {
 public:
  explicit FakeDnsServer(event::Loop& loop) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const Address any = *Address::fromIp("127.0.0.1", 0);
    REQUIRE(bind(fd_, any.sockaddrPointer(), any.sockaddrLength()) == 0);
    sockaddr_storage bound{};
    socklen_t length = sizeof(bound);
    REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &length) == 0);
    address_ = Address::fromSockaddr(reinterpret_cast<sockaddr*>(&bound), length);
    watch_ = loop.watch(fd_, event::kReadable, event::Trigger::kLevel, *this);
  }
  ~FakeDnsServer() override {
    watch_.reset();
    close(fd_);
  }

  Address address() const { return address_; }

  std::map<std::pair<std::string, uint16_t>, Answer> answers;  // (name, type); others: no such name
  std::vector<std::string> asked;                              // "name/type"

 private:
  void onFdEvents(uint32_t) override {
    char query[512];
    sockaddr_storage from{};
    socklen_t length = sizeof(from);
    const ssize_t size = recvfrom(fd_, query, sizeof(query), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size < 12) return;
    size_t at = 12;
    std::string name;
    while (query[at] != 0) {
      const size_t label = static_cast<unsigned char>(query[at]);
      if (!name.empty()) name += '.';
      name.append(query + at + 1, label);
      at += label + 1;
    }
    const auto type = static_cast<uint16_t>(static_cast<unsigned char>(query[at + 1]) << 8 |
                                            static_cast<unsigned char>(query[at + 2]));
    asked.push_back(name + "/" + std::to_string(type));
    const auto found = answers.find({name, type});
    const Answer answer = found == answers.end() ? Answer{3, {}} : found->second;
    if (answer.rcode < 0) return;
    const std::string reply = encode(std::string(query, at + 5), answer);
    sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
  }

  static void put16(std::string& out, uint32_t value) {
    out += static_cast<char>(value >> 8 & 0xff);
    out += static_cast<char>(value & 0xff);
  }
  static std::string encodeName(const std::string& name) {
    std::string out;
    size_t begin = 0;
    while (begin < name.size()) {
      const size_t end = std::min(name.find('.', begin), name.size());
      out += static_cast<char>(end - begin);
      out.append(name, begin, end - begin);
      begin = end + 1;
    }
    return out + '\0';
  }

  static std::string encode(std::string question, const Answer& answer) {
    std::string out = question.substr(0, 2);
    out += static_cast<char>(0x81);
    out += static_cast<char>(0x80 | answer.rcode);
    put16(out, 1);
    put16(out, static_cast<uint32_t>(answer.records.size()));
    out.append(4, '\0');
    out += question.substr(12);
    for (const Record& record : answer.records) {
      out += record.owner.empty() ? std::string("\xc0\x0c") : encodeName(record.owner);
      put16(out, record.type);
      put16(out, 1);
      put16(out, record.ttl >> 16);
      put16(out, record.ttl & 0xffff);
      std::string data = encodeName(record.data);
      if (record.type != kCname) {
        char bytes[16];
        const bool v6 = record.type == kAaaa;
        REQUIRE(inet_pton(v6 ? AF_INET6 : AF_INET, record.data.c_str(), bytes) == 1);
        data.assign(bytes, v6 ? 16 : 4);
      }
      put16(out, static_cast<uint32_t>(data.size()));
      out += data;
    }
    return out;
  }

  int fd_;
  Address address_;
  std::unique_ptr<event::FdWatch> watch_;
};

struct Fixture {
  std::unique_ptr<event::Loop> loop = event::makeLoop();
  FakeDnsServer server{*loop};
  std::unique_ptr<DnsResolver> resolver;

  explicit Fixture(std::chrono::milliseconds timeout = std::chrono::milliseconds(50)) {
    DnsResolverOptions options;
    options.servers = {server.address()};
    options.timeout = timeout;
    options.tries = 1;
    options.use_hosts_file = false;
    resolver = makeDnsResolver(*loop, options);
  }

  DnsResult resolve(const std::string& name, DnsLookupFamily family = DnsLookupFamily::kAuto) {
    std::optional<DnsResult> out;
    const auto query = resolver->resolve(name, family, [&](DnsResult result) {
      out = std::move(result);
      loop->stop();
    });
    CHECK_FALSE(out.has_value());
    loop->run();
    REQUIRE(out.has_value());
    return *out;
  }

  static std::string join(const DnsResult& result) {
    std::string out;
    for (const Address& address : result.addresses) out += address.ip() + " ";
    return out;
  }
};

TEST_CASE("a name gives its addresses, sorted, each once, and the smallest time to live") {
  Fixture f;
  f.server.answers[{"a.test", kA}] = {0, {{kA, 30, "10.0.0.2"}, {kA, 20, "10.0.0.1"}, {kA, 40, "10.0.0.2"}}};

  const DnsResult result = f.resolve("a.test", DnsLookupFamily::kV4Only);

  CHECK(result.status == Status::kOk);
  CHECK(Fixture::join(result) == "10.0.0.1 10.0.0.2 ");
  CHECK(result.ttl == std::chrono::seconds(20));
}

TEST_CASE("an alias's time to live counts") {
  Fixture f;
  f.server.answers[{"a.test", kA}] = {0, {{kCname, 7, "b.test"}, {kA, 300, "10.0.0.1", "b.test"}}};

  const DnsResult result = f.resolve("a.test", DnsLookupFamily::kV4Only);

  CHECK(Fixture::join(result) == "10.0.0.1 ");
  CHECK(result.ttl == std::chrono::seconds(7));
}

TEST_CASE("each lookup family asks for its records") {
  Fixture f;
  f.server.answers[{"both.test", kA}] = {0, {{kA, 30, "10.0.0.1"}}};
  f.server.answers[{"both.test", kAaaa}] = {0, {{kAaaa, 30, "2001:db8::1"}}};
  f.server.answers[{"four.test", kA}] = {0, {{kA, 30, "10.0.0.1"}}};
  f.server.answers[{"six.test", kAaaa}] = {0, {{kAaaa, 30, "2001:db8::1"}}};
  auto ask = [&](const char* name, DnsLookupFamily family) { return Fixture::join(f.resolve(name, family)); };

  CHECK(ask("both.test", DnsLookupFamily::kAuto) == "2001:db8::1 ");
  CHECK(ask("both.test", DnsLookupFamily::kV4Preferred) == "10.0.0.1 ");
  CHECK(ask("both.test", DnsLookupFamily::kAll) == "10.0.0.1 2001:db8::1 ");
  CHECK(ask("both.test", DnsLookupFamily::kV4Only) == "10.0.0.1 ");
  CHECK(ask("both.test", DnsLookupFamily::kV6Only) == "2001:db8::1 ");
  CHECK(ask("four.test", DnsLookupFamily::kAuto) == "10.0.0.1 ");
  CHECK(ask("six.test", DnsLookupFamily::kV4Preferred) == "2001:db8::1 ");
  CHECK(ask("four.test", DnsLookupFamily::kV6Only).empty());
}

TEST_CASE("no such name and a failure are told apart") {
  Fixture f;
  f.server.answers[{"failure.test", kA}] = {2, {}};
  f.server.answers[{"nodata.test", kA}] = {0, {}};
  f.server.answers[{"silent.test", kA}] = {-1, {}};

  CHECK(f.resolve("missing.test").status == Status::kNoSuchName);
  CHECK(f.resolve("nodata.test", DnsLookupFamily::kV4Only).status == Status::kNoSuchName);
  CHECK(f.resolve("failure.test").status == Status::kFailed);
  const DnsResult silent = f.resolve("silent.test", DnsLookupFamily::kV4Only);
  CHECK(silent.status == Status::kFailed);
  CHECK_FALSE(silent.detail.empty());
}

TEST_CASE("one family without an address and another without an answer is a failure, whatever the order") {
  Fixture f;
  f.server.answers[{"four.test", kA}] = {2, {}};
  f.server.answers[{"four.test", kAaaa}] = {0, {}};
  f.server.answers[{"six.test", kA}] = {0, {}};
  f.server.answers[{"six.test", kAaaa}] = {2, {}};
  for (const char* name : {"four.test", "six.test"}) {
    for (const auto family : {DnsLookupFamily::kAuto, DnsLookupFamily::kV4Preferred, DnsLookupFamily::kAll}) {
      CHECK(f.resolve(name, family).status == Status::kFailed);
    }
  }
}

TEST_CASE("after a failure the resolver goes on working") {
  Fixture f;
  f.server.answers[{"a.test", kA}] = {2, {}};
  REQUIRE(f.resolve("a.test", DnsLookupFamily::kV4Only).status == Status::kFailed);

  f.server.answers[{"a.test", kA}] = {0, {{kA, 30, "10.0.0.1"}}};

  CHECK(f.resolve("a.test", DnsLookupFamily::kV4Only).status == Status::kOk);
}

size_t openDescriptors() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

TEST_CASE("names that fail and names that hang take no descriptors each") {
  Fixture f(std::chrono::seconds(10));
  f.server.answers[{"failure.test", kA}] = {2, {}};
  const size_t before = openDescriptors();
  std::vector<std::unique_ptr<DnsQuery>> hanging;

  for (int i = 0; i < 50; ++i) {
    const std::string silent = "silent" + std::to_string(i) + ".test";
    f.server.answers[{silent, kA}] = {-1, {}};
    REQUIRE(f.resolve("failure.test", DnsLookupFamily::kV4Only).status == Status::kFailed);
    hanging.push_back(f.resolver->resolve(silent, DnsLookupFamily::kV4Only, [](DnsResult) {}));
  }

  CHECK(openDescriptors() < before + 20);
}

TEST_CASE("literal addresses resolve to themselves without a question") {
  Fixture f;

  CHECK(Fixture::join(f.resolve("10.1.2.3", DnsLookupFamily::kV6Only)) == "10.1.2.3 ");
  CHECK(Fixture::join(f.resolve("::1")) == "::1 ");
  CHECK(f.server.asked.empty());
}

TEST_CASE("what is no host name fails without a question") {
  Fixture f;

  for (const std::string& name : {std::string(), std::string("a..b"), std::string("a b"), std::string(64, 'a'),
                                  std::string(254, 'a'), std::string("a\0b", 3)}) {
    CHECK(f.resolve(name).status == Status::kFailed);
  }
  CHECK(f.server.asked.empty());
  CHECK(isDnsName("a.example.com."));
  CHECK(isDnsName("_service.my-host"));
}

TEST_CASE("a query that is destroyed gives no result") {
  Fixture f;
  f.server.answers[{"a.test", kA}] = {0, {{kA, 30, "10.0.0.1"}}};
  bool called = false;
  auto query = f.resolver->resolve("a.test", DnsLookupFamily::kV4Only, [&](DnsResult) { called = true; });
  auto literal = f.resolver->resolve("10.0.0.1", DnsLookupFamily::kV4Only, [&](DnsResult) { called = true; });

  query.reset();
  literal.reset();

  CHECK(f.resolve("a.test", DnsLookupFamily::kV4Only).status == Status::kOk);
  CHECK_FALSE(called);
}

TEST_CASE("a query may be destroyed by its own result") {
  Fixture f;
  f.server.answers[{"a.test", kA}] = {0, {{kA, 30, "10.0.0.1"}}};
  std::unique_ptr<DnsQuery> query;

  query = f.resolver->resolve("a.test", DnsLookupFamily::kV4Only, [&](DnsResult) {
    query.reset();
    f.loop->stop();
  });
  f.loop->run();

  CHECK(query == nullptr);
}

TEST_CASE("a resolver may go away with questions open") {
  Fixture f;
  f.server.answers[{"a.test", kA}] = {-1, {}};
  bool called = false;
  auto query = f.resolver->resolve("a.test", DnsLookupFamily::kV4Only, [&](DnsResult) { called = true; });

  f.resolver.reset();
  query.reset();

  CHECK_FALSE(called);
}

}  // namespace
}  // namespace sluice::net
