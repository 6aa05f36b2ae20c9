#include "source/extensions/filters/http/ldap_auth/logins.h"

#include <utility>

#include "source/filter/identity.h"

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

// What a thread of the pool works with.
struct Check {
  std::shared_ptr<Directory> directory;
  std::shared_ptr<const std::string> secret;
  filter::Login login;
  Answer answer{Answer::Kind::kUnavailable, {}, {}, {}};
};

std::shared_ptr<const Account> accountOf(Answer answer) {
  auto out = std::make_shared<Account>(Account{answer.name, answer.groups, nullptr});
  out->identity = filter::identityFields({.method = "ldap",
                                          .subject = answer.name,
                                          .consumer = answer.name,
                                          .groups = std::move(answer.groups),
                                          .claims = {{"dn", {std::move(answer.dn)}}}});
  return out;
}

}  // namespace

// A login that is being asked, for all who wait for it: it ends with the last of them.
struct Logins::Flight {
  Flight(Flights& flights, const filter::KeyDigest& digest) : flights(flights), digest(digest) {}
  ~Flight() {
    if (!is_over) flights.erase(digest);
  }

  // Whoever is told may let others go.
  void end(const Verdict& verdict) {
    is_over = true;
    flights.erase(digest);
    while (!waits.empty()) {
      Wait& next = waits.front();
      next.unlink();
      const OnVerdict on_verdict = std::move(next.on_verdict_);
      on_verdict(verdict);
    }
  }

  Flights& flights;
  const filter::KeyDigest digest;
  bool is_over = false;
  base::List<Wait> waits;
  std::unique_ptr<worker::ThreadPool::Task> task;
};

Logins::Wait::Wait(std::shared_ptr<Flight> flight, OnVerdict on_verdict)
    : flight_(std::move(flight)), on_verdict_(std::move(on_verdict)) {
  flight_->waits.pushBack(*this);
}

Logins::Logins(std::shared_ptr<Directory> directory, std::shared_ptr<worker::ThreadPool> pool,
               const worker::LocalSlots& slots, std::chrono::milliseconds ttl)
    : directory_(std::move(directory)),
      pool_(std::move(pool)),
      memory_(slots, ttl),
      flights_(slots, [](worker::WorkerServices&) { return std::make_unique<Flights>(); }) {}

std::unique_ptr<Logins::Wait> Logins::ask(const filter::Login& login, std::shared_ptr<const std::string> secret,
                                          uint64_t whose, worker::WorkerServices& worker, OnVerdict on_verdict) const {
  Flights& flights = flights_.get(worker);
  const filter::KeyDigest digest = memory_.digestOf(login);
  if (const auto known = flights.find(digest); known != flights.end()) {
    if (auto flight = known->second.lock()) return std::make_unique<Wait>(std::move(flight), std::move(on_verdict));
  }
  const auto flight = std::make_shared<Flight>(flights, digest);
  const auto check = std::make_shared<Check>(Check{directory_, std::move(secret), login});
  flight->task = pool_->run(
      worker.loop, whose,
      [check] {
        check->answer = check->directory->check(check->login.user(), check->login.password(), *check->secret);
      },
      [this, check, &worker, weak = std::weak_ptr(flight)] {
        const auto flight = weak.lock();
        if (flight == nullptr) return;
        const Answer::Kind kind = check->answer.kind;
        const auto account = kind == Answer::Kind::kRight ? accountOf(std::move(check->answer)) : nullptr;
        if (kind == Answer::Kind::kRight || kind == Answer::Kind::kWrong) {
          memory_.remember(check->login, account, worker);
        }
        flight->end({kind, account});
      });
  if (flight->task == nullptr) {
    flight->is_over = true;
    return nullptr;
  }
  flights[digest] = flight;
  return std::make_unique<Wait>(flight, std::move(on_verdict));
}

}  // namespace sluice::extensions::http_filters::ldap_auth
