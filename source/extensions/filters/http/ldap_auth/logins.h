// Asks a directory for logins on threads that may wait. Those of several requests that are the same are asked as one.
// Thread: the worker of who asks, unless it says otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "source/base/intrusive_list.h"
#include "source/extensions/filters/http/ldap_auth/directory.h"
#include "source/extensions/filters/http/ldap_auth/login_memory.h"
#include "source/worker/local.h"
#include "source/worker/thread_pool.h"

namespace sluice::extensions::http_filters::ldap_auth {

struct Verdict {
  Answer::Kind kind;
  std::shared_ptr<const Account> account;  // of who is right
};

class Logins {
  struct Flight;

 public:
  using OnVerdict = std::function<void(const Verdict& verdict)>;

  // A request that waits: destroyed, it does not any more.
  class Wait : public base::ListNode {
   public:
    Wait(std::shared_ptr<Flight> flight, OnVerdict on_verdict);
    ~Wait() { unlink(); }

   private:
    friend class Logins;
    const std::shared_ptr<Flight> flight_;
    OnVerdict on_verdict_;
  };

  // `ttl`: of right logins. (LoginMemory)
  Logins(std::shared_ptr<Directory> directory, std::shared_ptr<worker::ThreadPool> pool,
         const worker::LocalSlots& slots, std::chrono::milliseconds ttl);
  // Threads that wait for the directory do so no longer.
  ~Logins() { directory_->stop(); }
  Logins(const Logins&) = delete;
  Logins& operator=(const Logins&) = delete;

  const LoginMemory& memory() const { return memory_; }
  // `whose`: as of ThreadPool::run(). `secret`: the service's own password. What is said is remembered. Null: too much
  // waits.
  std::unique_ptr<Wait> ask(const filter::Login& login, std::shared_ptr<const std::string> secret, uint64_t whose,
                            worker::WorkerServices& worker, OnVerdict on_verdict) const;

 private:
  using Flights = filter::KeyTable<std::weak_ptr<Flight>>;

  const std::shared_ptr<Directory> directory_;
  const std::shared_ptr<worker::ThreadPool> pool_;
  const LoginMemory memory_;
  const worker::WorkerLocal<Flights> flights_;
};

}  // namespace sluice::extensions::http_filters::ldap_auth
