// Settings of route tables for filters, against the chains that use the tables. Where a table stands in a listener the
// compiler knows the chain; over RDS the two meet here first.
#pragma once

#include <vector>

#include "source/control_plane/intent_file.h"

namespace sluice::control_plane {

// An error for each setting whose filter is in none of the chains that take the table: it would have no effect, whether
// it was to open or to close a door. Tables that no chain of these files takes are not judged.
void checkFilterSettings(const std::vector<IntentFilePtr>& files, config::ErrorList& errors);

}  // namespace sluice::control_plane
