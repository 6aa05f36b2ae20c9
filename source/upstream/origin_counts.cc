#include "source/upstream/origin_counts.h"

#include <string>

#include "source/base/text.h"

namespace sluice::upstream {

const OriginCounts::Status& OriginCounts::newStatus(Origin& origin, uint16_t status) {
  const std::string code = std::to_string(status);
  const std::string begin = base::strCat(origin.name, ".upstream_rq_");
  Status& made = origin.statuses.emplace_back(Status{.status = status, .cells = {}});
  made.cells = {counts_.cellOf(base::strCat(begin, "completed")),
                counts_.cellOf(base::strCat(begin, code.substr(0, 1), "xx")),
                counts_.cellOf(base::strCat(begin, code))};
  return made;
}

void OriginCounts::addCompleted(Origin& origin) {
  if (auto* cell = counts_.cellOf(base::strCat(origin.name, ".upstream_rq_completed"))) cell->add();
}

}  // namespace sluice::upstream
