insert into cell
select $run, delta.* from delta
anti join (select * from cell where run = $run) as known
using (measure, variant, scenario, model)
