// Sessions that are renewed: each refresh token is used once, however many requests of however many workers need it.
//
// Main asks the token endpoint; who asks for the same token meanwhile, or a little later (a browser that has not got
// its new cookies yet), is given the same answer. Many refresh tokens are good once only, and a second use may end the
// session. So there is one of these for all configurations whose sessions are the same. Thread: made on main; renew()
// on workers; it may be destroyed on any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "source/event/loop.h"
#include "source/extensions/filters/http/oauth2/client.h"
#include "source/worker/main_services.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::oauth2 {

struct Retries {
  uint32_t most = 0;
  std::chrono::milliseconds base{1'000}, longest{10'000};
};

class Renewals {
 public:
  static constexpr std::chrono::seconds kKept{10};  // an answer
  static constexpr size_t kMaxKept = 1024;          // answers, and calls under way
  static constexpr size_t kMaxWaiting = 16'384;     // requests

  // `seed`: of delays.
  Renewals(worker::MainServices& main, uint64_t seed);
  ~Renewals();
  Renewals(const Renewals&) = delete;
  Renewals& operator=(const Renewals&) = delete;

  // `first`: of those who are told, for what is to be counted once.
  using OnAnswer = std::function<void(const TokenAnswer& answer, bool first)>;
  // Destruction ends the wait.
  class Wait {
   public:
    virtual ~Wait() = default;
  };
  // Worker. `key`: of the refresh token. `request` is made, with its retries, if no other with this key was.
  // `on_answer` is called from the loop, once; it may destroy the wait.
  [[nodiscard]] std::unique_ptr<Wait> renew(worker::WorkerServices& worker, std::string key,
                                            worker::HttpCallRequest request, Retries retries, OnAnswer on_answer) const;

 private:
  class OnMain;
  struct Waiter;
  struct Handle;

  event::Loop& main_;  // workers, who may be the last to let go of this, outlive main's services
  std::shared_ptr<OnMain> on_main_;
};

}  // namespace sluice::extensions::http_filters::oauth2
