#include "source/net/dns.h"

#include <ares.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "source/net/dns_name.h"

namespace sluice::net {

namespace {

struct Lookup;

// One c-ares channel with its descriptors and its timer.
class Channel {
 public:
  Channel(event::Loop& loop, const DnsResolverOptions& options)
      : loop_(loop), timer_(loop.timers(), [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }) {
    char lookups_both[] = "fb";
    char lookups_dns[] = "b";
    ares_options settings{};
    settings.timeout = static_cast<int>(options.timeout.count());
    settings.tries = options.tries;
    settings.lookups = options.use_hosts_file ? lookups_both : lookups_dns;
    settings.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<Channel*>(self)->onSocketState(fd, readable != 0, writable != 0);
    };
    settings.sock_state_cb_data = this;
    const int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    status_ = ares_init_options(&channel_, &settings, mask);
    if (status_ == ARES_SUCCESS && !options.servers.empty()) setServers(options.servers);
  }

  ~Channel() {
    if (status_ == ARES_SUCCESS) ares_destroy(channel_);
  }

  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int status() const { return status_; }
  size_t inFlight() const { return in_flight_; }

  void ask(Lookup& lookup, const std::string& name, int family, ares_addrinfo_callback on_answer) {
    ++in_flight_;
    ares_addrinfo_hints hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, on_answer, &lookup);
    armTimer();
  }
  void answered() { --in_flight_; }

 private:
  // c-ares may close a descriptor while it works on it, so the watch goes first and the object last.
  struct Socket : event::FdHandler {
    Socket(Channel& channel, ares_socket_t fd) : channel(channel), fd(fd) {}
    void onFdEvents(uint32_t events) override {
      const bool read = (events & (event::kReadable | event::kPeerClosed)) != 0;
      const bool write = (events & event::kWritable) != 0;
      channel.process(read ? fd : ARES_SOCKET_BAD, write ? fd : ARES_SOCKET_BAD);  // may destroy this
    }
    Channel& channel;
    const ares_socket_t fd;
    std::unique_ptr<event::FdWatch> watch;
  };

  void setServers(const std::vector<Address>& servers) {
    std::string list;
    for (const Address& server : servers) {
      if (!list.empty()) list += ',';
      list += server.toString();
    }
    status_ = ares_set_servers_ports_csv(channel_, list.c_str());
    if (status_ != ARES_SUCCESS) ares_destroy(channel_);
  }

  void onSocketState(ares_socket_t fd, bool readable, bool writable) {
    const uint32_t interest = (readable ? event::kReadable : 0u) | (writable ? event::kWritable : 0u);
    if (interest == 0) {
      sockets_.erase(fd);
      return;
    }
    std::unique_ptr<Socket>& socket = sockets_[fd];
    if (socket) {
      socket->watch->setInterest(interest);
      return;
    }
    socket = std::make_unique<Socket>(*this, fd);
    socket->watch = loop_.watch(fd, interest, event::Trigger::kLevel, *socket);
  }

  void process(ares_socket_t read, ares_socket_t write) {
    ares_process_fd(channel_, read, write);
    armTimer();
  }

  void armTimer() {
    timeval wait{};
    if (ares_timeout(channel_, nullptr, &wait) == nullptr) {
      timer_.cancel();
      return;
    }
    timer_.arm(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec));
  }

  event::Loop& loop_;
  event::Timer timer_;
  std::unordered_map<ares_socket_t, std::unique_ptr<Socket>> sockets_;
  ares_channel channel_ = nullptr;
  int status_ = ARES_SUCCESS;
  size_t in_flight_ = 0;
};

// One call of resolve(). Shared by the caller's handle, c-ares (through `self`) and the posted delivery.
struct Lookup {
  event::Loop& loop;
  std::string name;
  DnsResolver::OnResult on_result;
  std::vector<int> families;  // still to be asked, in order
  bool all_families = false;  // ask them all; else the first that has an address wins
  bool cancelled = false;
  bool failed = false;            // at least one family got no answer
  bool* failed_before = nullptr;  // the resolver's: the configuration is to be read again
  Channel* channel = nullptr;
  DnsResult result;
  std::shared_ptr<Lookup> self;  // set while c-ares knows this lookup
};

void deliver(std::shared_ptr<Lookup> lookup) {
  event::Loop& loop = lookup->loop;
  loop.post([lookup = std::move(lookup)] {
    if (lookup->cancelled) return;
    lookup->cancelled = true;  // once
    const auto on_result = std::move(lookup->on_result);
    on_result(std::move(lookup->result));
  });
}

void addAddresses(const ares_addrinfo& answer, DnsResult& result) {
  std::optional<int> ttl;
  auto lower = [&ttl](int candidate) {
    if (candidate >= 0) ttl = std::min(ttl.value_or(candidate), candidate);
  };
  for (const ares_addrinfo_node* node = answer.nodes; node != nullptr; node = node->ai_next) {
    const Address address = Address::fromSockaddr(node->ai_addr, node->ai_addrlen);
    if (!address.isIp()) continue;
    result.addresses.push_back(address.withPort(0));
    lower(node->ai_ttl);
  }
  for (const ares_addrinfo_cname* alias = answer.cnames; alias != nullptr; alias = alias->next) lower(alias->ttl);
  if (!ttl) return;
  const std::chrono::seconds seconds(*ttl);
  result.ttl = result.ttl.count() == 0 ? seconds : std::min(result.ttl, seconds);
}

void askNext(const std::shared_ptr<Lookup>& lookup);

void finish(std::shared_ptr<Lookup> lookup) {
  DnsResult& result = lookup->result;
  if (!result.addresses.empty()) {
    std::sort(result.addresses.begin(), result.addresses.end());
    result.addresses.erase(std::unique(result.addresses.begin(), result.addresses.end()), result.addresses.end());
    result.status = DnsResult::Status::kOk;
    result.detail.clear();
  } else {
    result.status = lookup->failed ? DnsResult::Status::kFailed : DnsResult::Status::kNoSuchName;
  }
  deliver(std::move(lookup));
}

void onAnswer(void* arg, int status, int /*timeouts*/, ares_addrinfo* answer) {
  std::shared_ptr<Lookup> lookup = std::move(static_cast<Lookup*>(arg)->self);
  lookup->channel->answered();
  if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) return;
  if (answer != nullptr) {
    if (status == ARES_SUCCESS) addAddresses(*answer, lookup->result);
    ares_freeaddrinfo(answer);
  }
  const bool no_such_name = status == ARES_ENODATA || status == ARES_ENOTFOUND;
  if (status != ARES_SUCCESS) {
    if (!lookup->failed) lookup->result.detail = ares_strerror(status);
    if (!no_such_name) *lookup->failed_before = lookup->failed = true;
  }
  const bool done = lookup->families.empty() || (!lookup->all_families && !lookup->result.addresses.empty());
  if (done || lookup->cancelled) {
    finish(lookup);
  } else {
    askNext(lookup);
  }
}

void askNext(const std::shared_ptr<Lookup>& lookup) {
  const int family = lookup->families.front();
  lookup->families.erase(lookup->families.begin());
  lookup->self = lookup;
  lookup->channel->ask(*lookup, lookup->name, family, onAnswer);
}

std::vector<int> familiesToAsk(DnsLookupFamily family) {
  switch (family) {
    case DnsLookupFamily::kV4Only:
      return {AF_INET};
    case DnsLookupFamily::kV6Only:
      return {AF_INET6};
    case DnsLookupFamily::kV4Preferred:
    case DnsLookupFamily::kAll:
      return {AF_INET, AF_INET6};
    case DnsLookupFamily::kAuto:
      break;
  }
  return {AF_INET6, AF_INET};
}

class Query : public DnsQuery {
 public:
  explicit Query(std::shared_ptr<Lookup> lookup) : lookup_(std::move(lookup)) {}
  ~Query() override {
    lookup_->cancelled = true;
    lookup_->on_result = nullptr;
  }

 private:
  std::shared_ptr<Lookup> lookup_;
};

// The library counts its users without a lock, and each thread may have resolvers.
void initLibrary() {
  [[maybe_unused]] static const int kOnce = ares_library_init(ARES_LIB_INIT_ALL);
}

class CaresResolver : public DnsResolver {
 public:
  CaresResolver(event::Loop& loop, DnsResolverOptions options) : loop_(loop), options_(std::move(options)) {
    initLibrary();
  }
  ~CaresResolver() override { channels_.clear(); }

  std::unique_ptr<DnsQuery> resolve(std::string_view name, DnsLookupFamily family, OnResult on_result) override {
    auto lookup =
        std::make_shared<Lookup>(Lookup{loop_, std::string(name), std::move(on_result), familiesToAsk(family)});
    lookup->all_families = family == DnsLookupFamily::kAll;
    lookup->failed_before = &failed_;
    auto query = std::make_unique<Query>(lookup);
    if (const std::optional<Address> literal = Address::fromIp(name, 0)) {
      lookup->result.addresses.push_back(*literal);
      finish(std::move(lookup));
    } else if (!isDnsName(name)) {
      fail(std::move(lookup), "not a host name");
    } else if (Channel& channel = currentChannel(); channel.status() != ARES_SUCCESS) {
      failed_ = true;
      fail(std::move(lookup), ares_strerror(channel.status()));
    } else {
      lookup->channel = &channel;
      askNext(lookup);
    }
    return query;
  }

 private:
  static void fail(std::shared_ptr<Lookup> lookup, std::string detail) {
    lookup->failed = true;
    lookup->result.detail = std::move(detail);
    finish(std::move(lookup));
  }

  // A new channel after a failure; older ones live until their last lookup has its answer. Names that fail may be those
  // of strangers, so there is one a second at most: each has sockets of its own, and reads files.
  Channel& currentChannel() {
    if (channels_.empty() || (failed_ && loop_.now() >= renewable_)) {
      failed_ = false;
      renewable_ = loop_.now() + std::chrono::seconds(1);
      std::erase_if(channels_, [](const auto& channel) { return channel->inFlight() == 0; });
      channels_.push_back(std::make_unique<Channel>(loop_, options_));
    }
    return *channels_.back();
  }

  event::Loop& loop_;
  const DnsResolverOptions options_;
  bool failed_ = false;
  event::TimePoint renewable_{};                    // from when on a failure makes a new channel
  std::vector<std::unique_ptr<Channel>> channels_;  // the last one is current
};

}  // namespace

std::unique_ptr<DnsResolver> makeDnsResolver(event::Loop& loop, DnsResolverOptions options) {
  return std::make_unique<CaresResolver>(loop, std::move(options));
}

}  // namespace sluice::net
