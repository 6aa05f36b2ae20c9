// What all sessions of a worker share. Thread: the worker's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/base/local_ptr.h"
#include "source/event/loop.h"
#include "source/filter/terminal.h"
#include "source/observability/stats.h"
#include "source/route/table.h"
#include "source/worker/services.h"

namespace sluice::session {

class Connection;
class Stream;

// A route table as streams of one worker pin it.
struct PinnedTable : base::LocalCounted {
  std::shared_ptr<const route::Table> table;
  // Where the last release goes: freeing a large table is main's work.
  std::function<void(std::shared_ptr<const route::Table>)>* retire = nullptr;
  ~PinnedTable() {
    if (retire != nullptr && *retire) (*retire)(std::move(table));
  }
};

// The worker's route tables by slot: a connection manager holds the slot, main refills it.
class RouteTables {
 public:
  explicit RouteTables(std::function<void(std::shared_ptr<const route::Table>)> retire) : retire_(std::move(retire)) {}

  void set(uint32_t slot, std::shared_ptr<const route::Table> table) {
    if (slot >= tables_.size()) tables_.resize(slot + 1);
    if (!table) return tables_[slot].reset();
    tables_[slot] = base::makeLocal<PinnedTable>();
    tables_[slot]->table = std::move(table);
    tables_[slot]->retire = &retire_;
  }
  // Null while the slot has no table: every request is then answered 404.
  base::LocalPtr<PinnedTable> get(uint32_t slot) const {
    return slot < tables_.size() ? tables_[slot] : base::LocalPtr<PinnedTable>();
  }

 private:
  std::function<void(std::shared_ptr<const route::Table>)> retire_;
  std::vector<base::LocalPtr<PinnedTable>> tables_;
};

// The date header, made once a second.
class DateCache {
 public:
  // "Fri, 20 Nov 2026 22:35:00 GMT"; valid until the next call.
  std::string_view now(event::TimePoint now);

 private:
  event::TimePoint next_{};
  char text_[32];
  size_t size_ = 0;
};

class SessionWorker {
 public:
  SessionWorker(worker::WorkerServices& services, RouteTables& tables);
  ~SessionWorker();

  worker::WorkerServices& services;
  // Of the services.
  event::Loop& loop;
  observability::StatsCells& cells;

  RouteTables& tables;
  DateCache date;

  // Stream objects are recycled: taken for a request, given back at the end of the turn in which they finished.
  Stream* takeStream();
  void retireStream(Stream& stream);

 private:
  class Reaper;
  std::unique_ptr<Reaper> reaper_;
};

}  // namespace sluice::session
