-- Live checks of one judge under one rubric, newest first.
select document from judge_check where judge = $judge and rubric_hash = $rubric
order by checked_at desc, document
