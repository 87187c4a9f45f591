update cell
set events = cell.events + delta.events, scored = cell.scored + delta.scored, lost = cell.lost + delta.lost
from delta
where cell.run = $run and cell.measure = delta.measure and cell.variant = delta.variant
  and cell.scenario = delta.scenario and cell.model = delta.model
