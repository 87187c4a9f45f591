-- The latest label sample of a run, in the order drawn.
select d.draw, d.seed, d.drawn_at, i.item, i.trial, i.variant, i.judged, i.population, i.sampled
from label_draw d join label_item i using (run, draw)
where run = $run and draw = (select max(draw) from label_draw where run = $run)
order by i.place
